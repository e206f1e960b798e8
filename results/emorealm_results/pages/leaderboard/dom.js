"use strict";
// Every text of the page is set with textContent: what models and files say is never markup.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const DASH = "–";

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") node.addEventListener("click", value);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.map((child) => (typeof child === "number" ? String(child) : child)));
  return node;
}

function svg(tag, attributes = {}, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text) node.textContent = text;
  return node;
}

function fixed(value, digits = 1) {
  return value === null || value === undefined ? DASH : value.toFixed(digits);
}

function signed(value) {
  return value === null || value === undefined ? DASH : (value > 0 ? "+" : "") + value.toFixed(1);
}

function select(parent, id, label, options, chosen, changed) {
  const list = el("select", { id });
  for (const [value, text] of options) list.append(el("option", { value, selected: value === chosen }, text));
  list.addEventListener("change", () => changed(list.value));
  parent.append(el("label", {}, el("span", {}, label), list));
  return list;
}

function searchBox(parent, id, label, changed) {
  const box = el("input", { type: "search", id });
  box.addEventListener("input", () => changed(box.value));
  parent.append(el("label", {}, el("span", {}, label), box));
}

// Further filters: open beside a wide table, folded away on a phone.
function filters(parent, id) {
  const inner = el("div", { class: "controls" });
  parent.append(el("details", { id, open: matchMedia("(min-width: 40rem)").matches }, el("summary", {}, "Filters"), inner));
  return inner;
}

function setControl(id, value) {
  const control = byId(id);
  if (control && control.value !== value) control.value = value;
}

function definitions(pairs) {
  const list = el("dl");
  for (const [name, value] of pairs) {
    if (value !== null && value !== undefined && value !== "") list.append(el("dt", {}, name), el("dd", {}, String(value)));
  }
  return list;
}

const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

// Above a table that is wider than its box stands how to see the rest.
function hintSideways(box) {
  const hint = el("p", { class: "legend sideways", hidden: true }, "Scroll the table sideways for more columns →");
  box.before(hint);
  const watch = new ResizeObserver(() => { hint.hidden = box.scrollWidth <= box.clientWidth + 1; });
  watch.observe(box);
  watch.observe(box.querySelector("table"));
}

function fill(table, head, body) {
  table.tHead.replaceChildren(el("tr", {}, ...head));
  table.tBodies[0].replaceChildren(...body);
}
