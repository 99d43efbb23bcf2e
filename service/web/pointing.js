// A lead that is pointed at, by pointer or by focus, is marked wherever it is shown.

function point(event) {
  const lead = event.target.closest?.("[data-lead]")?.dataset.lead;
  for (const shown of document.querySelectorAll("[data-lead]")) {
    shown.classList.toggle("pointed", shown.dataset.lead === lead);
  }
}

export function markWhatIsPointedAt() {
  document.addEventListener("pointerover", point);
  document.addEventListener("focusin", point);
}
