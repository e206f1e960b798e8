// Which columns are shown, and what is shown as CSV.
function showColumnBoxes(layout) {
  const hidden = hiddenColumns();
  byId("column-boxes").replaceChildren(...columnsOf(layout).map((column) => {
    const box = el("input", { type: "checkbox", checked: !hidden.has(keyOf(column)), value: keyOf(column) });
    box.addEventListener("change", () => {
      if (box.checked) hidden.delete(keyOf(column));
      else hidden.add(keyOf(column));
      state.hidden = [...hidden].join(" ");
      showScores();
      remember();
      byId("column-boxes").querySelector(`[value="${CSS.escape(keyOf(column))}"]`).focus();
    });
    return el("label", {}, box, ` ${column.label}`);
  }));
}

// A cell that a spreadsheet would take for a formula starts with an apostrophe.
function quoted(value) {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value ?? "");
  return `"${text.replaceAll('"', '""')}"`;
}

function shownAsCsv() {
  const layout = layoutOf(state.layout), columns = shownColumns(layout), { column } = sorting(layout);
  const bounds = columns.flatMap((one) => [one.label, `${one.label} low`, `${one.label} high`]);
  const rows = sortedLines(layout).map((line) => [rankOf(line, column), line.model, tagOf(line), marksOf(line).join("; "), inputOf(line), line.parameters,
    line.source === "published" ? "official" : state.reading,
    ...columns.flatMap((one) => { const cell = cellOf(line, one, state.reading) || {}; return [cell.value, cell.low, cell.high]; })]);
  return [["rank", "model", "source", "marks", "input", "size", "reading", ...bounds], ...rows].map((row) => row.map(quoted).join(",")).join("\n") + "\n";
}

function saveCsv() {
  const link = el("a", { href: URL.createObjectURL(new Blob([shownAsCsv()], { type: "text/csv" })), download: `leaderboard_${state.layout}.csv` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
byId("score-csv").addEventListener("click", saveCsv);
