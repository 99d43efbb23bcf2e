"""The one road from report bytes to model input: the steps of this package in order, nothing more."""

from dataclasses import dataclass

from shared_preproc.crops import crop_leads
from shared_preproc.leads import Lead
from shared_preproc.masks import Mask, binarize
from shared_preproc.page import Page, decode_page
from shared_preproc.spec import MaskTensor, PreprocSpec
from shared_preproc.tensor import Tensor, mask_tensor, trace_tensor
from shared_preproc.traces import Trace, page_traces

__all__ = ["PageReading", "page_masks", "page_tensor", "preprocess", "read_page"]


@dataclass(frozen=True, eq=False)
class PageReading:
    """What was read off one page, each in page order: every lead's full-size mask and its curve in millivolt."""

    masks: dict[Lead, Mask]
    traces: dict[Lead, Trace]

    def tensor(self, spec: PreprocSpec) -> Tensor:
        """Model input: ``spec`` says its shape and type. Scaling and the like happen inside the graph."""
        if isinstance(spec.tensor, MaskTensor):
            return mask_tensor(self.masks, spec)
        return trace_tensor(self.traces)


def page_masks(page: Page, spec: PreprocSpec) -> dict[Lead, Mask]:
    """Cut and binarize a page: one full-size mask for each lead, in page order."""
    return {lead: binarize(crop, spec) for lead, crop in crop_leads(page, spec.layout).items()}


def read_page(page: Page, spec: PreprocSpec) -> PageReading:
    """Read every lead off a decoded page; the traces are there whatever ``spec`` makes its tensor of."""
    masks = page_masks(page, spec)
    return PageReading(masks, page_traces(masks, spec.layout, spec.trace))


def page_tensor(page: Page, spec: PreprocSpec) -> Tensor:
    """Model input of a decoded page, in page order; nothing is read that it does not need."""
    masks = page_masks(page, spec)
    if isinstance(spec.tensor, MaskTensor):
        return mask_tensor(masks, spec)
    return trace_tensor(page_traces(masks, spec.layout, spec.trace))


def preprocess(data: bytes, spec: PreprocSpec) -> Tensor:
    """Model input of an uploaded page, as `page_tensor`.

    Raises:
        PreprocError: whatever `decode_page` refuses.
    """
    return page_tensor(decode_page(data, spec.layout), spec)
