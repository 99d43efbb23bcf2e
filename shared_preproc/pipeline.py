"""The one road from report bytes to model input: the steps of this package in order, nothing more."""

from shared_preproc.crops import crop_leads
from shared_preproc.leads import Lead
from shared_preproc.masks import Mask, binarize
from shared_preproc.page import Page, decode_page
from shared_preproc.spec import PreprocSpec
from shared_preproc.tensor import Tensor, to_tensor

__all__ = ["page_masks", "page_tensor", "preprocess"]


def page_masks(page: Page, spec: PreprocSpec) -> dict[Lead, Mask]:
    """Cut and binarize a page: one full-size mask for each lead, in page order."""
    return {lead: binarize(crop, spec) for lead, crop in crop_leads(page, spec.layout).items()}


def page_tensor(page: Page, spec: PreprocSpec) -> Tensor:
    """Model input of a decoded page, in page order: the spec says its shape and type."""
    return to_tensor(page_masks(page, spec), spec)


def preprocess(data: bytes, spec: PreprocSpec) -> Tensor:
    """Model input of an uploaded page, as `page_tensor`.

    Raises:
        PreprocError: whatever `decode_page` refuses.
    """
    return page_tensor(decode_page(data, spec.layout), spec)
