// The tabs, and the start of the page.
function showView(view) {
  for (const name of Object.keys(VIEWS)) {
    const chosen = name === view;
    byId(`view-${name}`).hidden = !chosen;
    byId(`tab-${name}`).setAttribute("aria-selected", String(chosen));
    byId(`tab-${name}`).tabIndex = chosen ? 0 : -1;
  }
  for (const media of byId("sample-detail").querySelectorAll("video, audio")) if (view !== "samples") media.pause();
}

function openView(view) {
  current = view;
  showView(view);
  if (parts[view]) parts[view].draw();
  remember();
}

function turnTabs(event) {
  const names = Object.keys(VIEWS), place = names.indexOf(current), last = names.length - 1;
  const to = { ArrowRight: place === last ? 0 : place + 1, ArrowLeft: place === 0 ? last : place - 1, Home: 0, End: last }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  openView(names[to]);
  byId(`tab-${names[to]}`).focus();
}

for (const [name, label] of Object.entries(VIEWS)) {
  byId("views").append(el("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `view-${name}`, onclick: () => openView(name) }, label));
}
byId("views").addEventListener("keydown", turnTabs);
byId("about").textContent = data.about;
document.querySelectorAll(".scroll").forEach(hintSideways);
scoreControls();
plotControls();
sampleControls();
showPublished();
showRuns();
window.addEventListener("hashchange", restore);
restore();
