// Two runs on the same questions, as `emorealm compare` printed them; nothing is computed here.
function showPaired() {
  const [a, b] = [browse.a, browse.b].sort((x, y) => x - y);
  const pair = browse.b === "" || a === b ? null : data.pairs[`${a}/${b}`] || { why: "These two runs have no question in common." };
  const ofTask = (line) => browse.task === "all" || line.task === browse.task;
  const ofKind = (line) => browse.subtask === "all" || line.score === browse.subtask || line.cells[0] !== "";
  const lines = pair?.lines?.filter((line) => ofTask(line) && ofKind(line)) ?? [];
  const texts = pair?.why ? [pair.why] : pair ? [pair.about, ...pair.notes] : [];
  byId("paired-about").replaceChildren(...texts.map((text) => el("p", { class: "legend" }, text)));
  fill(byId("paired"), lines.length ? pair.head.map((name) => el("th", {}, name)) : [],
    lines.map((line) => el("tr", {}, ...line.cells.map((cell, place) => el("td", { class: place === 0 || place === 2 ? "name" : "" }, cell)))));
  byId("paired-legend").textContent = pair?.lines ? `${pair.changed[browse.task] ?? ""} ${pair.method}` : "";
}
