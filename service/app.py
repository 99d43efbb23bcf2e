"""Build the application and its OpenAPI description."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.gzip import GZipMiddleware

from model_registry.bundle import Bundle
from model_registry.decision import REASON_CODES
from model_registry.registry import Registry
from service import __version__
from service.admission import Admission, BodyBudget
from service.answers import Answer, Answers
from service.audit import open_audit
from service.auth.access import make_access
from service.decide import read_site_rules
from service.errors import KINDS, StartupError
from service.host import available_cpus
from service.http import connections_within
from service.idempotency import KeptAnswers
from service.middleware import FRAMEWORK_TELEMETRY, HearOut, RequestContext, TrustedHosts, trusted_hosts
from service.models.batching import Batching, batching_opener
from service.models.loader import Catalog, ModelLoader
from service.models.onnx import Classifier, onnx_opener
from service.models.pool import Budget, DefaultModel, ModelPool
from service.problems import Problem, handle_errors, problem_responses
from service.routes import classify, digitize, health, models, open_inference, reading, web
from service.routes.common import ACCESS_REFUSALS, WITH_KEY
from service.server import MetricsPort
from service.settings import Settings
from service.state import LifespanState, Service, ServiceGauges
from service.telemetry.metrics import Metrics
from service.upload import read_upload
from service.workers import Workers
from shared_preproc.evidence import DOUBT_CODES

if TYPE_CHECKING:
    from service.telemetry.spans import Spans

__all__ = ["INTENDED_USE", "create_app"]

INTENDED_USE = "Decision support for research; not a certified medical device."

ClassifierOpener = Callable[[Bundle], Classifier]


def create_app(settings: Settings, open_classifier: ClassifierOpener | None = None) -> FastAPI:
    """Build the service, or raise `StartupError`; ``open_classifier`` replaces ONNX Runtime."""
    service, spans = _service(settings, open_classifier), _open_spans(settings)
    app = FastAPI(
        title="ECG report classifier",
        summary="Reads a 12-lead ECG report page and says how probable each class is, for each lead and for the page.",
        description=INTENDED_USE,
        version=__version__,
        # FastAPI's pages load scripts from a public host.
        docs_url=None,
        redoc_url=None,
        # FastAPI builds a redirect from the client's Host header.
        redirect_slashes=False,
        telemetry=FRAMEWORK_TELEMETRY,
        lifespan=partial(_lifespan, service, spans),
        generate_unique_id_function=_operation_id,
    )
    app.add_middleware(TrustedHosts, names=trusted_hosts(settings, settings.host))
    handle_errors(app)
    for routes in (classify, digitize, reading, health, models, open_inference, web):
        app.include_router(routes.router)
    app.include_router(open_inference.open_router)
    app.include_router(open_inference.infer_router)
    app.mount("/web", GZipMiddleware(web.WebFiles()), name="web")
    _offer_metrics(app, settings)
    _describe_for_clients(app)
    app.add_middleware(RequestContext, metrics=service.metrics, spans=spans)
    app.add_middleware(HearOut, timeout_s=settings.header_timeout_s)  # the last is the outermost
    return app


def _offer_metrics(app: FastAPI, settings: Settings) -> None:
    if settings.metrics_port is None:
        refusals = problem_responses(*ACCESS_REFUSALS)
        app.include_router(health.metrics_router, dependencies=WITH_KEY, responses=refusals)
    else:
        names = trusted_hosts(settings, settings.host)
        app.add_middleware(MetricsPort, port=settings.metrics_port, names=names)


def _open_spans(settings: Settings) -> "Spans | None":
    if settings.otlp_endpoint is None:
        return None
    try:
        from service.telemetry.spans import Spans  # noqa: PLC0415 - OpenTelemetry is an extra
    except ImportError as error:
        raise StartupError(
            "ECG_OTLP_ENDPOINT is set, but OpenTelemetry is not installed. "
            "Install this package with the extra `otel` as well, or leave ECG_OTLP_ENDPOINT out."
        ) from error
    return Spans(settings.otlp_endpoint)


@asynccontextmanager
async def _lifespan(service: Service, spans: "Spans | None", _: FastAPI) -> AsyncIterator[LifespanState]:
    if service.audit is not None:
        service.audit.start()
    # /health answers while the model loads.
    following = asyncio.create_task(service.models.default.follow())
    try:
        yield {"service": service}
    finally:
        following.cancel()
        if service.audit is not None:  # before hanging work
            service.audit.close()
        service.loader.close()
        service.workers.close()
        if spans is not None:
            spans.close()


def _service(settings: Settings, open_classifier: ClassifierOpener | None) -> Service:
    access, metrics, cpus = make_access(settings), Metrics(), available_cpus()
    workers = settings.worker_count(cpus)
    opener = open_classifier or onnx_opener(settings.provider, settings.inference_threads(cpus))
    opener = batching_opener(opener, Batching(settings.batch_pages, callers=workers), metrics.count_run)
    catalog = Catalog(Registry(settings.models_dir))
    loader = ModelLoader(catalog, opener, read_site_rules(settings))
    default = DefaultModel(catalog, loader, settings.default_model)
    bodies = BodyBudget(max_bytes=settings.max_bodies_bytes, timeout_s=settings.body_timeout_s)
    audit = open_audit(settings)
    service = Service(
        settings=settings,
        access=access,
        catalog=catalog,
        loader=loader,
        models=ModelPool(catalog, loader, default, Budget(settings.max_loaded_models)),
        admission=Admission(
            bodies, deadline_s=settings.request_deadline_s, max_body_bytes=settings.max_body_bytes, read=read_upload
        ),
        workers=Workers(workers, settings.max_waiting_requests),
        connections=connections_within(settings.max_connections),
        metrics=metrics,
        audit=audit,
        answers=Answers(metrics, audit, KeptAnswers[Answer](window_s=settings.idempotency_window_s)),
    )
    metrics.watch(ServiceGauges(service))
    return service


_Schema = dict[str, Any]


def _operation_id(route: APIRoute) -> str:
    """Name an operation by its path, for generated clients."""
    return "_".join(part for part in route.path_format.split("/") if part and not part.startswith("{"))


def _describe_for_clients(app: FastAPI) -> None:
    """Describe codes, and pairs as arrays: generators of clients do not read FastAPI's ``prefixItems``."""
    describe: Callable[[], _Schema] = app.openapi

    def described() -> _Schema:
        if app.openapi_schema is None:
            description = describe()
            _simplify(description)
            schemas = description["components"]["schemas"]
            schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas["Problem"]["properties"]["code"]["enum"] = sorted(kind.code for kind in KINDS.values())
            schemas["Reason"]["properties"]["code"]["enum"] = sorted(REASON_CODES | DOUBT_CODES)
        return app.openapi_schema or {}

    app.openapi = described  # type: ignore[method-assign] # as FastAPI's documentation says


def _simplify(value: Any) -> None:  # noqa: ANN401 - any part of a JSON document
    if isinstance(value, list):
        for one in value:
            _simplify(one)
    elif isinstance(value, dict):
        if items := value.pop("prefixItems", None):
            value["items"] = items[0]
        for one in value.values():
            _simplify(one)
