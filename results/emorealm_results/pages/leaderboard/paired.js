// Two runs on the same questions, as `emorealm compare` printed them; nothing is computed here.
function showPaired() {
  const [a, b] = [browse.a, browse.b].sort((x, y) => x - y);
  byId("sample-paired").hidden = b === "" || a === "" || a === b;
  const pair = data.pairs[`${a}/${b}`] || { why: "These two runs have no question in common." };
  const ofTask = (line) => browse.task === "all" || line.task === browse.task;
  const ofKind = (line) => browse.subtask === "all" || line.score === browse.subtask || line.cells[0] !== "";
  const lines = (pair.lines || []).filter((line) => ofTask(line) && ofKind(line));
  byId("paired-headline").textContent = pair.why || [pair.about, headline(pair, lines)].filter(Boolean).join(": ");
  byId("paired-notes").replaceChildren(...(pair.notes || []).map((note) => el("p", { class: "legend" }, note)));
  fill(byId("paired"), lines.length ? pair.head.map((name) => el("th", {}, name)) : [],
    lines.map((line) => el("tr", {}, ...line.cells.map((cell, place) => el("td", { class: place === 0 || place === 2 ? "name" : "" }, cell)))));
  byId("paired-legend").textContent = pair.lines ? [pair.changed[browse.task], pair.method].filter(Boolean).join(" ") : "";
}

function headline(pair, lines) {
  // the kind's line, else the mean over the tasks, else the first one
  const wanted = (line) => (browse.subtask === "all" ? browse.task === "all" && line.task === "" : line.score === browse.subtask);
  const line = lines.find(wanted) || lines[0];
  return line ? line.cells.map((cell, place) => cell && `${pair.head[place]} ${cell}`).filter(Boolean).join(", ") : "";
}
