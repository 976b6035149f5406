import { ConvexClient } from "convex/browser";
import { api } from "../convex/_generated/api.js";

// The page is served by the deployment itself, so its own origin is the deployment's URL;
// `?url=` points it at another one.
const url = new URLSearchParams(location.search).get("url") ?? location.origin;
const client = new ConvexClient(url);
const element = (id) => document.getElementById(id);

const PAGE = 10;
let limit = PAGE;
let known = new Set();
let unsubscribe = () => {};

function follow() {
  unsubscribe();
  unsubscribe = client.onUpdate(api.tasks.list, { limit: limit + 1 }, show, fail);
}

function show(tasks) {
  const shown = tasks.slice(0, limit);
  element("tasks").replaceChildren(...shown.map(row));
  element("empty").hidden = shown.length > 0;
  element("more").hidden = tasks.length <= limit;
  known = new Set(shown.map((task) => task._id));
}

function row(task) {
  const item = document.createElement("li");
  item.classList.toggle("done", task.completed);
  item.classList.toggle("new", known.size > 0 && !known.has(task._id));
  item.dataset.id = task._id;

  const label = document.createElement("label");
  const box = document.createElement("input");
  box.type = "checkbox";
  box.checked = task.completed;
  box.addEventListener("change", () => send(api.tasks.toggle, { id: task._id }));
  const text = document.createElement("span");
  text.textContent = task.text;
  label.append(box, text);

  const remove = document.createElement("button");
  remove.type = "button";
  remove.className = "remove";
  remove.title = "Remove";
  remove.setAttribute("aria-label", `Remove ${task.text}`);
  remove.textContent = "×";
  remove.addEventListener("click", () => send(api.tasks.remove, { id: task._id }));

  item.append(label, remove);
  return item;
}

async function send(mutation, args) {
  try {
    await client.mutation(mutation, args);
    element("error").hidden = true;
  } catch (error) {
    fail(error);
  }
}

function fail(error) {
  element("error").textContent = error.message;
  element("error").hidden = false;
}

element("add").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = element("text").value.trim();
  if (!text) return;
  element("text").value = "";
  void send(api.tasks.create, { text });
});
element("clear").addEventListener("click", () => send(api.tasks.clear_completed, {}));
element("more").addEventListener("click", () => {
  limit += PAGE;
  follow();
});

client.onUpdate(
  api.tasks.summary,
  {},
  ({ open, done }) => {
    element("summary").textContent = `${open} open · ${done} done`;
    element("clear").disabled = done === 0;
  },
  fail,
);
client.subscribeToConnectionState(showConnection);
showConnection(client.connectionState());

function showConnection({ isWebSocketConnected }) {
  element("connection").textContent = isWebSocketConnected ? "live" : "connecting";
  element("connection").classList.toggle("live", isWebSocketConnected);
}

follow();
