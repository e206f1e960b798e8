// Measured against printed numbers, as Python compared them, and the facts of each run.
function showPublished() {
  const head = ["run", "task", "score", "measured", "published", "table", "difference [95%]", "verdict", "questions", "unparsed", "errors", "missing", "note"];
  const rows = data.comparisons.map((one) => {
    const interval = one.low === null ? "" : ` [${signed(one.low)}, ${signed(one.high)}]`;
    const name = el("td", { class: "name" }, one.model, el("span", { class: "tag" }, `as ${one.published_model}`));
    for (const mark of one.marks) name.append(el("span", { class: "mark" }, mark));
    return el("tr", {}, name, el("td", { class: "name" }, data.names[one.task] || one.task), el("td", { class: "name" }, one.metric), el("td", {}, fixed(one.measured)),
      el("td", {}, String(one.published)), el("td", {}, one.table), el("td", {}, signed(one.difference) + interval), el("td", { class: one.verdict.split(" ")[0] }, one.verdict),
      ...[one.n, one.unparsed, one.errors, one.missing].map((count) => el("td", {}, count ?? "")), el("td", { class: "name" }, one.note));
  });
  fill(byId("published-table"), head.map((name) => el("th", { class: ["run", "task", "score", "note"].includes(name) ? "name" : "" }, name)), rows);
  byId("published-table").parentElement.hidden = !rows.length;
  byId("published-why").textContent = rows.length ? "" : "No run here is one of the paper's models on the paper's benchmarks.";
}

function showRuns() {
  byId("run-list").replaceChildren(...data.runs.map((run) => el("div", {}, el("h2", {}, run.name, ...run.marks.map((mark) => el("span", { class: "mark" }, mark))),
    definitions([...runFacts(run), ["in the paper", run.published]]))));
  if (!data.runs.length) byId("run-list").textContent = "No measured runs, only the paper's numbers.";
}
