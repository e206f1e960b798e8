// The address after # names the tab and what is chosen there: #samples?show=only_a&sample=emorealm_mini/ID.
const VIEWS = { scores: "Scores", plots: "Plots", published: "Against the paper", samples: "Samples", runs: "Runs" };
const parts = {}; // tab -> { state, defaults, draw }: what of its state stands in the address, and how it is shown
let current = ""; // until the first is shown

function register(view, state, names, draw) {
  parts[view] = { state, names, draw, defaults: Object.fromEntries(names.map((name) => [name, state[name]])) };
}

function addressOf(view) {
  const chosen = new URLSearchParams();
  const part = parts[view];
  for (const name of part ? part.names : []) {
    if (part.state[name] !== part.defaults[name]) chosen.set(name, part.state[name]);
  }
  const text = chosen.toString();
  return `#${view}${text ? `?${text}` : ""}`;
}

// A choice makes a step that the back button undoes; what is typed letter by letter, and what the page itself
// selects, replaces the last one.
function remember(step = true) {
  const address = addressOf(current);
  if (address === location.hash) return;
  if (step) location.hash = address;
  else location.replace(address);
}

function restore() {
  if (location.hash === addressOf(current) && !byId(`view-${current}`).hidden) return;
  const [view, chosen] = location.hash.slice(1).split("?");
  current = VIEWS[view] ? view : "scores";
  const part = parts[current];
  if (part) {
    const values = new URLSearchParams(chosen || "");
    for (const name of part.names) part.state[name] = values.get(name) ?? part.defaults[name];
  }
  showView(current);
  if (part) part.draw();
}
