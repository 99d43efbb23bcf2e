"""A page cut into its lead boxes."""

from shared_preproc.layout import Layout
from shared_preproc.leads import Lead
from shared_preproc.page import Gray, Page

__all__ = ["LeadCrops", "crop_leads"]

LeadCrops = dict[Lead, Gray]
"""Page order; each crop a uint8 view of the page, (box height, box width), 0 black to 255 white."""


def crop_leads(page: Page, layout: Layout) -> LeadCrops:
    """Cut ``page`` into the boxes of ``layout``, without copying a pixel."""
    return {lead: page.gray[box.top : box.bottom, box.left : box.right] for lead, box in layout.lead_boxes}
