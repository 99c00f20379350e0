// A click on the head of a column sorts the rows by it, another one the other way round: names as text, the rest by
// their numbers where they have any. Without this the page is as complete, in the order that it was written in.
for (const head of document.querySelectorAll("thead th")) {
  const button = document.createElement("button");
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const cell = (row) => row.cells[head.cellIndex].textContent.trim();
    const number = (row) => (head.classList.contains("name") ? NaN : parseFloat(cell(row)));
    const text = (a, b) => cell(a).localeCompare(cell(b), "en", { numeric: true });
    const body = head.closest("table").tBodies[0];
    body.append(...[...body.rows].sort((a, b) => sign * (number(a) - number(b) || text(a, b))));
    for (const one of head.parentElement.cells) one.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
  });
}
