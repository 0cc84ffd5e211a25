// The script of the reference page: shows the OpenAPI document and sends requests. Text from the document or
// from answers only ever becomes text nodes.
#include "services/gateway/docs_page.h"

namespace micropay::gateway {

const std::string_view kReferenceScript = R"~(
"use strict";
const $ = id => document.getElementById(id);

// el("p", {class: "note"}, "text", child): an element with attributes and children.
function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== false && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter(child => child !== undefined && child !== null));
  return node;
}

let api = null;
const resolve = schema => schema && schema.$ref
  ? resolve(schema.$ref.slice(2).split("/").reduce((at, key) => at[key], api)) : schema || {};

// A value that the schema allows, for the request box.
function example(schema, depth = 0) {
  const s = resolve(schema);
  if (depth > 6) return null;
  if (s.examples) return s.examples[0];
  if (s.const !== undefined) return s.const;
  if (s.enum) return s.enum.includes("EUR") ? "EUR" : s.enum[0];
  if (s.oneOf) {
    const usual = s.oneOf.find(one => JSON.stringify(one).includes('"EUR"'));
    return example(usual || s.oneOf[0], depth + 1);
  }
  if (s.allOf) return Object.assign({}, ...s.allOf.map(one => example(one, depth + 1)));
  if (s.type === "object" || s.properties) {
    const value = {};
    for (const [name, part] of Object.entries(s.properties || {})) value[name] = example(part, depth + 1);
    return value;
  }
  if (s.type === "array") return [example(s.items, depth + 1)];
  if (s.type === "integer" || s.type === "number") return s.minimum > 0 ? s.minimum : 0;
  if (s.type === "boolean") return false;
  if (s.format === "uuid") return "00000000-0000-7000-8000-000000000000";
  if (s.format === "email") return "anna@example.com";
  if (s.format === "date-time") return "2026-01-31T12:00:00Z";
  if (s.pattern && s.pattern.includes("[1-9][0-9]{0,")) return "10.00";
  return "";
}

function typeText(schema) {
  const s = resolve(schema);
  const name = schema && schema.$ref ? schema.$ref.split("/").pop() : "";
  if (s.type === "array") return "list of " + typeText(s.items);
  const bounds = [];
  if (s.minLength > 1) bounds.push("at least " + s.minLength + " characters");
  if (s.maxLength && s.maxLength < 1024) bounds.push("at most " + s.maxLength + " characters");
  if (s.minimum !== undefined) bounds.push("from " + s.minimum);
  if (s.maximum !== undefined) bounds.push("to " + s.maximum);
  if (s.enum && s.enum.length < 13) bounds.push("one of " + s.enum.join(", "));
  return [name || s.format || s.type || "value", ...bounds].join("; ");
}

function table(head, rows) {
  return el("table", {}, el("thead", {}, el("tr", {}, ...head.map(text => el("th", {scope: "col"}, text)))),
    el("tbody", {}, ...rows.map(row =>
      el("tr", row.id ? {id: row.id} : {}, ...row.cells.map(cell => el("td", {}, cell))))));
}

const code = text => el("code", {}, text);

function accessText(access) {
  if (!access) return "nobody";
  if (access.public) return "everybody";
  const parts = [];
  if (access.signed_in || access.signedIn) parts.push("signed in");
  if (access.owner) parts.push("owner of " + access.owner.record);
  if (access.roles) parts.push(access.roles.join(", "));
  if (access.scope) parts.push("API key with " + access.scope);
  return parts.join(" or ");
}

function fieldTable(schema) {
  const s = resolve(schema);
  const required = new Set(s.required || []);
  const fields = Object.entries(s.properties || {});
  return table(["field", "type", "meaning"], fields.map(([name, part]) => ({cells: [
    el("span", {}, code(name), required.has(name) ? " required" : ""), typeText(part),
    part.description || resolve(part).description || ""]})));
}

// ---- sending ----

function requestOf(form, route) {
  let path = route.path;
  const query = new URLSearchParams(), headers = {};
  for (const input of form.querySelectorAll("[data-in]")) {
    if (input.value === "") continue;
    const escaped = encodeURIComponent(input.value);
    if (input.dataset.in === "path") path = path.replace("{" + input.name + "}", escaped);
    else if (input.dataset.in === "query") query.append(input.name, input.value);
    else headers[input.name] = input.value;
  }
  if ($("token").value) headers.Authorization = "Bearer " + $("token").value;
  const box = form.querySelector("textarea");
  const body = box && box.value.trim() ? box.value : undefined;
  if (body) headers["Content-Type"] = "application/json";
  return {url: path + (query.size ? "?" + query : ""), method: route.verb, headers, body};
}

function curlText(request) {
  const quote = text => "'" + text.replaceAll("'", "'\\''") + "'";
  const parts = ["curl -i -X " + request.method + " " + quote(location.origin + request.url)];
  for (const [name, value] of Object.entries(request.headers)) parts.push("-H " + quote(name + ": " + value));
  if (request.body) parts.push("-d " + quote(request.body));
  return parts.join(" \\\n  ");
}

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

async function send(form, route, result) {
  const request = requestOf(form, route);
  result.replaceChildren(el("p", {class: "note"}, "Waiting …"));
  const began = performance.now();
  try {
    const answer = await fetch(request.url, request);
    const text = await answer.text();
    const took = (performance.now() - began).toFixed(1);
    const headers = [...answer.headers].map(([name, value]) => name + ": " + value).join("\n");
    result.replaceChildren(
      el("p", {}, el("strong", {class: answer.ok ? "good" : "bad"}, answer.status + " " + answer.statusText),
        " in " + took + " ms"),
      el("pre", {tabindex: "0"}, pretty(text) || "(no body)"),
      el("details", {}, el("summary", {}, "Headers of the answer"), el("pre", {tabindex: "0"}, headers)));
  } catch (problem) {
    result.replaceChildren(el("p", {class: "bad"}, "No answer: " + problem.message));
  }
}

function tryForm(route) {
  const form = el("form", {class: "try"});
  for (const parameter of route.parameters) {
    const id = route.operationId + "-" + parameter.name;
    form.append(el("label", {for: id}, parameter.name + (parameter.required ? " *" : "")),
      el("input", {id, name: parameter.name, "data-in": parameter.in, required: !!parameter.required,
        autocomplete: "off", spellcheck: "false"}));
  }
  if (route.body) {
    const id = route.operationId + "-body", text = JSON.stringify(example(route.body), null, 2);
    form.append(el("label", {for: id, class: "wide"}, "Body"),
      el("textarea", {id, spellcheck: "false"}, text));
  }
  const result = el("div", {class: "wide", role: "status", "aria-live": "polite"});
  const curl = () => result.replaceChildren(el("pre", {tabindex: "0"}, curlText(requestOf(form, route))));
  form.append(el("div", {class: "wide"}, el("button", {}, "Send"), " ",
    el("button", {type: "button", class: "plain", onclick: curl}, "Show as curl")), result);
  form.addEventListener("submit", event => { event.preventDefault(); send(form, route, result); });
  return form;
}

// ---- the page ----

function routeDetails(route) {
  const inside = el("div", {});
  const details = el("details", {class: "route", id: route.operationId},
    el("summary", {}, el("span", {class: "verb " + route.verb}, route.verb),
      el("span", {class: "path"}, route.path), el("span", {class: "note"}, route.summary || "")), inside);
  const words = [route.verb, route.path, route.summary, route.tag, accessText(route.access)];
  details.dataset.text = words.join(" ").toLowerCase();
  details.addEventListener("toggle", () => {
    if (!details.open || inside.childElementCount) return;
    inside.append(el("p", {}, el("span", {class: "badge"}, "for " + accessText(route.access)), " ",
      el("span", {class: "badge"}, "rate class " + (route.rate || "STANDARD"))));
    if (route.parameters.length) {
      const rows = route.parameters.map(one => ({cells: [
        el("span", {}, code(one.name), one.required ? " required" : ""), one.in, typeText(one.schema),
        one.description || ""]}));
      inside.append(el("h3", {}, "Parameters"), table(["name", "in", "type", "meaning"], rows));
    }
    if (route.body) inside.append(el("h3", {}, "Body"), fieldTable(route.body));
    inside.append(el("h3", {}, "Answers"), table(["status", "meaning"], route.answers));
    if (route.answer) {
      inside.append(el("details", {}, el("summary", {}, "Fields of the answer, and an example"),
        fieldTable(route.answer),
        el("pre", {tabindex: "0"}, JSON.stringify(example(route.answer), null, 2))));
    }
    inside.append(el("h3", {}, "Try it"), tryForm(route));
  });
  return details;
}

function routesOf(document) {
  const routes = [];
  for (const [path, verbs] of Object.entries(document.paths)) {
    for (const [verb, operation] of Object.entries(verbs)) {
      const json = content => content && content["application/json"] && content["application/json"].schema;
      const answers = Object.entries(operation.responses).map(([status, one]) => ({status, ...resolve(one)}));
      const success = answers.find(one => one.status.startsWith("2")) || {};
      routes.push({path, verb: verb.toUpperCase(), operationId: operation.operationId,
        summary: operation.summary, tag: (operation.tags || ["other"])[0],
        parameters: (operation.parameters || []).map(resolve),
        body: operation.requestBody && json(resolve(operation.requestBody).content),
        answer: json(success.content),
        access: operation["x-access"], rate: operation["x-rate-class"],
        answers: answers.map(one => ({cells: [one.status, one.description || ""]}))});
    }
  }
  return routes;
}

function showRoutes(document) {
  api = document;
  $("version").textContent = document.info.version;
  $("about").textContent = document.info.description || "";
  const routes = routesOf(document), list = $("routes");
  list.replaceChildren();
  for (const tag of document.tags || []) {
    const own = routes.filter(route => route.tag === tag.name);
    if (!own.length) continue;
    list.append(el("section", {class: "service"}, el("h2", {id: "service-" + tag.name}, tag.name),
      el("p", {class: "note"}, tag.description || ""), ...own.map(routeDetails)));
    $("nav").append(el("a", {href: "#service-" + tag.name}, tag.name));
  }
  $("nav").append(el("a", {href: "#events"}, "Events"), el("a", {href: "#problems"}, "Problems"));
  list.setAttribute("aria-busy", "false");
}

function showEvents(events) {
  $("event-list").append(table(["type", "topic", "key", "meaning", "fields"], events.map(event => ({
    id: "event-" + event.type,
    cells: [code(event.type), event.topic, code(event.key), event.summary, event.fields.join(", ")]}))));
}

const problems = {
  unauthenticated: "No token was sent, and this needs one.",
  token_expired: "The token has expired: refresh it or sign in again.",
  invalid_token: "The token is forged, revoked, or of another kind.",
  forbidden: "Your roles, or the API key's scopes, do not open this.",
  not_found: "There is no such record, or it is not yours.",
  route_not_found: "There is no such route.",
  method_not_allowed: "The route takes other verbs; Allow lists them.",
  malformed_json: "The body is not JSON, is nested too deeply, or is not UTF-8.",
  unknown_field: "The body has a field that the contract does not know.",
  unknown_parameter: "The query string has a parameter that the contract does not know.",
  invalid_type: "A value is of another type than the contract says.",
  required: "A field is missing.",
  idempotency_key_reused: "This Idempotency-Key was used with another request.",
  idempotency_in_progress: "The first request with this key still runs.",
  etag_mismatch: "The record changed since it was read.",
  body_too_large: "The body is larger than this server takes.",
  unsupported_media_type: "Send the body as application/json.",
  rate_limited: "Too many requests; Retry-After says when to go on.",
  overloaded: "The server has too much to do; try again after Retry-After.",
};

function showProblems() {
  const wanted = decodeURIComponent(location.hash).replace(/^#problem-/, "");
  const named = location.hash.startsWith("#problem-");
  if (named && !problems[wanted]) problems[wanted] = "See the detail of the answer.";
  $("problem-list").append(table(["code", "meaning"],
    Object.entries(problems).map(([name, text]) => ({id: "problem-" + name, cells: [code(name), text]}))));
}

function filterRoutes() {
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const route of document.querySelectorAll("details.route")) {
    route.hidden = !words.every(word => route.dataset.text.includes(word));
  }
  for (const service of document.querySelectorAll("section.service")) {
    service.hidden = !service.querySelector("details.route:not([hidden])");
  }
}

async function signIn(event) {
  event.preventDefault();
  const body = JSON.stringify({email: $("email").value, password: $("password").value});
  const headers = {"Content-Type": "application/json"};
  const answer = await fetch("/api/v1/auth/login", {method: "POST", headers, body});
  const json = await answer.json().catch(() => ({}));
  $("who").className = answer.ok ? "good" : "bad";
  $("who").textContent = answer.ok ? "Signed in" : json.detail || json.code || "Refused";
  if (!answer.ok) return;
  $("token").value = json.accessToken;
  $("password").value = "";
}

function openTarget() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  if (target.matches("details")) target.open = true;
  target.scrollIntoView();
}

$("search").addEventListener("input", filterRoutes);
$("session").addEventListener("submit", signIn);
window.addEventListener("hashchange", openTarget);
document.addEventListener("keydown", event => {
  const typing = event.target.matches("input, textarea, select");
  if (event.key === "/" && !typing) { event.preventDefault(); $("search").focus(); }
  if (event.key === "Escape" && event.target === $("search")) { $("search").value = ""; filterRoutes(); }
});

Promise.all(["/openapi.json", "/events.json"].map(url => fetch(url).then(answer => answer.json())))
  .then(([document, events]) => { showRoutes(document); showEvents(events); showProblems(); openTarget(); })
  .catch(problem =>
    $("routes").replaceChildren(el("p", {class: "bad"}, "Could not load: " + problem.message)));
)~";

}  // namespace micropay::gateway
