"""The metrics as Prometheus reads them."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

__all__ = ["Scrape"]


class Scrape:
    """One reading of /metrics."""

    def __init__(self, client: httpx.Client, path: str = "/metrics") -> None:
        response = client.get(path)
        assert response.is_success
        assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        self.text = response.text
        self.families = {family.name: family for family in text_string_to_metric_families(response.text)}
        self.samples = [sample for family in self.families.values() for sample in family.samples]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of this name that have these labels, and maybe others."""
        return sum(
            sample.value for sample in self.samples if sample.name == name and labels.items() <= sample.labels.items()
        )

    def labels(self, name: str, label: str) -> set[str]:
        """Every value of a label."""
        return {sample.labels[label] for sample in self.samples if sample.name == name}
