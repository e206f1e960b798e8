// Why models answer so: the plots and numbers of `emorealm analyse page`, those of Figure 5 first.
const NO_ANALYSES = "No analyses are on this page. emorealm analyse makes them, emorealm analyse page collects them in a folder, and emorealm leaderboard --analyses FOLDER shows them.";

function plot(picture, text) {
  return picture ? [el("div", { class: "plot", tabindex: 0, role: "region", "aria-label": text }, el("img", { src: picture, alt: text }))] : [];
}

function numbersOf(part) {
  const [head, ...lines] = part.cells;
  const row = (tag, cells) => el("tr", {}, ...cells.map((text, place) => el(tag, { class: place < 3 ? "name" : null }, text)));
  const table = el("table", {}, el("thead", {}, row("th", head)), el("tbody", {}, ...lines.map((cells) => row("td", cells))));
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `numbers of ${part.name}` }, table);
}

function showAnalyses() {
  const { parts: shown = [], sentences = [], about, expected, figure_5: figure } = data.analyses;
  const nodes = figure ? [el("h2", {}, "As Figure 5"), ...plot(figure, "The four panels of Figure 5; their numbers are in the tables of attention and adversarial")] : [];
  if (sentences.length) nodes.push(el("h2", {}, "What the numbers say"), el("p", { class: "legend" }, expected), el("ul", {}, ...sentences.map((text) => el("li", {}, text))));
  for (const part of shown) {
    nodes.push(el("h2", {}, part.name), el("p", { class: "legend" }, `${part.title}. ${part.legend}`), ...plot(part.figure, `Figure of ${part.name}; its numbers are in the table below`),
      el("details", {}, el("summary", {}, "Numbers, and the command"), el("p", { class: "legend" }, about), el("pre", { class: "command" }, part.command), numbersOf(part)));
  }
  byId("analysis-list").replaceChildren(...(nodes.length ? nodes : [el("p", { class: "legend" }, NO_ANALYSES)]));
}
