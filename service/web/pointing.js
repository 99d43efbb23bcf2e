// A lead that is pointed at, by pointer or by focus, is marked wherever it is shown.

let marked;

function point(event) {
  const lead = event.target.closest?.("[data-lead]")?.dataset.lead;
  if (lead === marked) return;
  marked = lead;
  for (const shown of document.querySelectorAll("[data-lead]")) {
    shown.classList.toggle("pointed", shown.dataset.lead === lead);
  }
}

export function markWhatIsPointedAt() {
  // Not pointerover: it comes also when the page scrolls to what has the focus, under a pointer that rests.
  document.addEventListener("pointermove", point);
  document.addEventListener("focusin", point);
}
