"""The application: its parts put together. Reads no environment; knows neither how a page is classified nor sent."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from model_registry.bundle import Bundle
from model_registry.registry import Registry
from service import __version__
from service.access import Access, make_access
from service.catalog import Catalog
from service.classifier import Classifier, onnx_opener
from service.cpus import available_cpus
from service.hosts import TrustedHosts, trusted_hosts
from service.model_pool import ModelPool
from service.problems import handle_errors
from service.request_context import RequestContext
from service.routes import classify, health, models, web
from service.settings import Settings
from service.state import LifespanState, Service
from service.workers import Workers

__all__ = ["INTENDED_USE", "create_app"]

INTENDED_USE = "Decision support for research; not a certified medical device."

ClassifierOpener = Callable[[Bundle], Classifier]


def create_app(settings: Settings, open_classifier: ClassifierOpener | None = None) -> FastAPI:
    """Build the service; ``open_classifier`` is ONNX Runtime unless something else is given.

    Raises:
        StartupError: ONNX Runtime cannot do what the settings demand, or they leave the service open to anyone.
    """
    access = make_access(settings)
    opener = open_classifier or onnx_opener(settings.provider, settings.inference_threads or available_cpus())
    app = FastAPI(
        title="ECG report classifier",
        summary="Reads a 12-lead ECG report page and says how probable each class is, for each lead and for the page.",
        description=INTENDED_USE,
        version=__version__,
        # FastAPI's own pages load their scripts from a public host, which a hospital's network does not reach.
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if settings.docs else None,
        # A redirect would be built from the client's Host header.
        redirect_slashes=False,
        lifespan=_lifespan(settings, opener, access),
    )
    app.add_middleware(TrustedHosts, names=trusted_hosts(settings))
    app.add_middleware(RequestContext)  # the last is the outermost
    handle_errors(app)
    for routes in (classify, health, models, web):
        app.include_router(routes.router)
    if settings.docs:
        app.include_router(web.docs_router)
    app.mount("/web", StaticFiles(directory=web.WEB_FOLDER), name="web")
    return app


def _lifespan(
    settings: Settings, open_classifier: ClassifierOpener, access: Access
) -> Callable[[FastAPI], AbstractAsyncContextManager[LifespanState]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[LifespanState]:
        service = _service(settings, open_classifier, access)
        # Not awaited: while it loads, /health/live answers and /health says why it is not ready.
        loading = asyncio.create_task(service.models.load_default(settings.default_model_retry_s))
        try:
            yield {"service": service}
        finally:
            loading.cancel()
            service.models.close()
            service.workers.close()

    return lifespan


def _service(settings: Settings, open_classifier: ClassifierOpener, access: Access) -> Service:
    catalog = Catalog(Registry(settings.models_dir))
    return Service(
        settings=settings,
        access=access,
        catalog=catalog,
        models=ModelPool(catalog, open_classifier, default=settings.default_model, capacity=settings.max_loaded_models),
        workers=Workers(settings.worker_threads or available_cpus(), settings.max_waiting_requests),
    )
