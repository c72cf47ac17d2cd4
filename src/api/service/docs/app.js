// Shows the description of the API: reads openapi.json, lists its calls, and sends those GET requests that the reader
// asks for. All text goes into the page as text; nothing is kept but in memory.
"use strict";

const METHODS = ["get", "head", "put", "post", "patch", "delete"];
const LONGEST_ANSWER = 200000;

// ---- Without the page: from the document to texts.

/** What stands at `#/a/b` of the document, or the object itself where it is no reference. */
function resolve(spec, object) {
  if (!object || !object.$ref) return object;
  const found = object.$ref.slice(2).split("/").reduce((at, key) => at && at[key], spec);
  return resolve(spec, found) || {};
}

/** The calls of the document, in the order of its tags. */
function operationsOf(spec) {
  const all = [];
  for (const [path, item] of Object.entries(spec.paths)) {
    for (const method of METHODS) {
      const call = item[method];
      if (!call) continue;
      const parameters = (call.parameters || []).map((parameter) => resolve(spec, parameter));
      all.push({ path, method, call, parameters, servers: item.servers || spec.servers, id: call.operationId });
    }
  }
  const order = spec.tags.map((tag) => tag.name);
  const rank = (operation) => order.indexOf(operation.call.tags[0]);
  return all.sort((one, other) => rank(one) - rank(other));
}

/** What a filter looks into. */
function haystack(operation) {
  const { path, method, call, parameters } = operation;
  const codes = Object.values(call.responses).flatMap((response) => errorsOf(response).map((error) => error.code));
  const names = parameters.map((parameter) => parameter.name);
  const words = [method, path, call.summary, call.description, call.tags[0], call["x-permission"], ...codes, ...names];
  return words.join(" ").toLowerCase();
}

/** The errors that a response may be, each with its code, when it comes, and its message; in the forms of all faces. */
function errorsOf(response) {
  const content = response.content && response.content["application/json"];
  if (!content || !content.examples) return [];
  return Object.values(content.examples).map((example) => {
    const errors = example.value.errors;
    if (errors && !Array.isArray(errors)) {
      const [name, messages] = Object.entries(errors.params || errors)[0];
      return { code: "", when: example.summary, message: errors.params ? `${name}: ${messages[0]}` : messages[0] };
    }
    const error = errors ? errors[0] : example.value;
    return {
      code: error.error_code || error.code,
      when: example.summary,
      message: error.message || error.detail || error.error,
    };
  });
}

/** A schema in a few words. */
function typeOf(spec, schema) {
  if (!schema) return "";
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    return name === "Flag" || name === "FlagText" ? "true or false" : name;
  }
  if (schema.enum) return schema.enum.length > 8 ? `one of ${schema.enum.length} names` : schema.enum.map(String).join(" | ");
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.anyOf) return schema.anyOf.map((one) => typeOf(spec, one)).join(" | ");
  const type = [].concat(schema.type || "anything").join(" | ");
  if (type.includes("array") && schema.items && Object.keys(schema.items).length) {
    return type.replace("array", schema.items.enum ? "list of names" : `list of ${typeOf(spec, schema.items)}`);
  }
  return schema.format ? `${type} (${schema.format})` : type;
}

/** The fields of an object; those of an object in it that is not named elsewhere stand in its place, as `outer.inner`. */
function fieldsOf(schema) {
  const needed = schema.required || [];
  return Object.entries(schema.properties || {}).flatMap(([name, field]) => {
    const inner = fieldsOf(field).map((one) => ({ ...one, name: `${name}.${one.name}` }));
    return inner.length ? inner : [{ name, field, isNeeded: needed.includes(name) }];
  });
}

/** Where a call goes: its path with the values filled in, and its query. */
function urlOf(operation, values, version) {
  const base = operation.servers[0].url.replace("{version}", version).replace(/\/$/, "");
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(values[name] || ""));
  const query = [];
  for (const parameter of operation.parameters) {
    const value = values[parameter.name];
    if (parameter.in !== "query" || value === undefined || value === "") continue;
    if (parameter.schema.type === "object") {
      query.push(...value.split("&").filter(Boolean).map((pair) => {
        const [key, ...rest] = pair.split("=");
        const name = parameter.style === "deepObject" ? `${parameter.name}[${key.trim()}]` : key;
        return `${encodeURIComponent(name.trim())}=${encodeURIComponent(rest.join("="))}`;
      }));
    } else {
      const each = parameter.explode ? value.split(",") : [value];
      query.push(...each.map((one) => `${encodeURIComponent(parameter.name)}=${encodeURIComponent(one.trim())}`));
    }
  }
  return base + path + (query.length ? `?${query.join("&")}` : "");
}

/** A text as one word of a shell. */
function quoted(text) {
  return `'${String(text).replace(/'/g, "'\\''")}'`;
}

/** A command that makes the call. The login is never part of it. */
function curlOf(operation, values, version, origin) {
  const { method, call } = operation;
  const words = ["curl"];
  if (method === "head") words.push("--head");
  else if (method !== "get") words.push(`-X ${method.toUpperCase()}`);
  if (!isOpen(operation)) words.push('-u "$LIFEBOAT_USER:$LIFEBOAT_PASSWORD"');
  const body = bodyOf(call);
  if (body && body.example !== undefined) {
    words.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(body.example))}`);
  } else if (call.requestBody) {
    words.push("-T archive.zip");
  }
  const answer = call.responses["200"];
  if (method === "get" && answer && answer.content && answer.content["application/octet-stream"]) words.push("-OJ");
  words.push(quoted(origin + urlOf(operation, values, version)));
  return words.join(" ");
}

/** Whether the call goes by the tenant of the login. */
function hasTenant(operation) {
  return operation.parameters.some((parameter) => parameter.in === "header" && parameter.name === "Tenant");
}

function bodyOf(call) {
  return call.requestBody && call.requestBody.content["application/json"];
}

function isOpen(operation) {
  return Array.isArray(operation.call.security) && operation.call.security.length === 0;
}

/** The examples of the parts of a path, as the values of its parameters. */
function examplesOf(operation) {
  const values = {};
  for (const parameter of operation.parameters) {
    if (parameter.in === "path") values[parameter.name] = parameter.example || "";
  }
  return values;
}

// ---- The page.

/** An element with attributes and children; texts become text. */
function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (value !== undefined && value !== false) {
      element.setAttribute(key, value === true ? "" : value);
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

/** Paragraphs of a text, with code between backticks. */
function prose(text) {
  return (text || "").split("\n\n").filter(Boolean).map((paragraph) =>
    make("p", {}, paragraph.split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part))));
}

function table(heads, rows) {
  const head = make("tr", {}, heads.map((name) => make("th", { scope: "col" }, name)));
  return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), make("tbody", {}, rows)));
}

function row(...cells) {
  return make("tr", {}, cells.map((cell) => make("td", {}, cell)));
}

function pretty(value) {
  return make("pre", { tabindex: "0" }, JSON.stringify(value, null, 2));
}

function copyable(text) {
  const button = make("button", { type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      // Without a secure connection there is no clipboard: mark the text instead.
      getSelection().selectAllChildren(button.previousElementSibling);
      button.textContent = "Marked";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return make("div", { class: "copyable" }, make("pre", { tabindex: "0" }, text), button);
}

function parameterTable(spec, parameters) {
  return table(["Name", "In", "Type", "Meaning"], parameters.map((parameter) => {
    const name = parameter.name === "filters" ? "any field" : parameter.name;
    const needed = parameter.required ? make("span", { class: "needed" }, "needed") : null;
    const fallback = parameter.schema.default;
    const type = [make("span", { class: "type" }, typeOf(spec, parameter.schema))];
    if (fallback !== undefined) type.push(make("span", { class: "type" }, `, default ${fallback}`));
    return row([make("code", {}, name), needed], parameter.in, type, prose(parameter.description));
  }));
}

/** The fields of an object; of one that the caller sends, with marks at those that it needs. */
function fieldTable(spec, schema, isSent = true) {
  return table(["Field", "Type", "Meaning"], fieldsOf(schema).map(({ name, field, isNeeded }) => {
    const type = typeOf(spec, field) + (field.default !== undefined ? `, default ${field.default}` : "");
    const mark = isSent && isNeeded ? make("span", { class: "needed" }, "needed") : null;
    return row([make("code", {}, name), mark], make("span", { class: "type" }, type), prose(field.description));
  }));
}

/** The fields of what is answered; of a list, those of its items; of a document, those of its resource. */
function answerFields(spec, schema) {
  let object = resolve(spec, schema);
  const held = object.properties && (object.properties.items || object.properties.data);
  const of = held && resolve(spec, held.type === "array" ? held.items : held);
  if (of && of.properties) object = of;
  if (!object.properties) return null;
  return make("details", { class: "schema" }, make("summary", {}, "Fields"), fieldTable(spec, object, false));
}

function body(spec, operation) {
  const request = operation.call.requestBody;
  if (!request) return [];
  const json = bodyOf(operation.call);
  const parts = [make("h3", {}, "Body")];
  if (json) {
    const about = json.schema.properties ? [fieldTable(spec, json.schema)] : prose(json.schema.description);
    parts.push(...about, make("h3", {}, "Example"), pretty(json.example));
  } else {
    parts.push(...prose(`${request.description} As the body itself, or in a form (\`multipart/form-data\`).`));
    const form = request.content["multipart/form-data"].schema;
    if (form.properties.params) {
      const file = Object.keys(form.properties)[0];
      parts.push(...prose(`The form has the file as \`${file}\`, and these as a JSON object in \`params\`:`));
      parts.push(fieldTable(spec, form.properties.params));
    }
  }
  return parts;
}

function answers(spec, operation) {
  const parts = [make("h3", {}, "Answer")];
  const failures = [];
  for (const [status, response] of Object.entries(operation.call.responses)) {
    const errors = errorsOf(response);
    if (Number(status) >= 400) {
      const known = errors.length ? errors : [{ code: "", when: response.description, message: "" }];
      for (const error of known) {
        failures.push(row(
          make("span", { class: "status bad" }, status),
          error.code ? make("code", {}, error.code) : "",
          [...prose(error.when), error.message ? make("p", { class: "type" }, error.message) : null],
        ));
      }
      continue;
    }
    const content = response.content || {};
    const kinds = Object.keys(content);
    parts.push(make("p", {}, make("span", { class: "status good" }, status), ` ${response.description}`,
      kinds.length && kinds[0] !== "application/json" ? make("span", { class: "type" }, ` ${kinds.join(", ")}`) : null));
    const json = content["application/json"];
    if (json && json.example !== undefined) parts.push(pretty(json.example), answerFields(spec, json.schema));
    for (const [name, header] of Object.entries(response.headers || {})) {
      parts.push(make("p", { class: "type" }, make("code", {}, name), ` ${header.description || ""}`));
    }
  }
  if (failures.length) parts.push(make("h3", {}, "Errors"), table(["Status", "Code", "When, and a message"], failures));
  return parts;
}

function value(id) {
  return document.getElementById(id).value;
}

/** The headers of a tried call. A token may stand where the password does. */
function loginHeaders(operation) {
  const headers = {};
  if (isOpen(operation)) return headers;
  const [user, password, tenant] = [value("user"), value("password"), value("tenant")];
  if (tenant && hasTenant(operation)) headers.Tenant = tenant;
  if (!user && password) {
    headers["Authentication-Token"] = password;
  } else if (user) {
    const bytes = new TextEncoder().encode(`${user}:${password}`);
    headers.Authorization = `Basic ${btoa(String.fromCharCode(...bytes))}`;
  }
  return headers;
}

async function send(operation, values, place) {
  const url = urlOf(operation, values, value("server-version"));
  place.replaceChildren(make("p", {}, "Asking…"));
  const begun = performance.now();
  try {
    // `omit`: what the browser itself knows of logins stays out, and it does not ask for one.
    const response = await fetch(url, { headers: loginHeaders(operation), credentials: "omit", cache: "no-store" });
    const type = response.headers.get("Content-Type") || "";
    const shown = await shownBody(response, type);
    const took = `${Math.round(performance.now() - begun)} ms`;
    const status = make("span", { class: `status ${response.ok ? "good" : "bad"}` }, String(response.status));
    place.replaceChildren(make("p", {}, status, ` ${took}  `, make("code", {}, url)), make("pre", { tabindex: "0" }, shown));
    if (response.status === 401) {
      const login = document.getElementById("login");
      login.open = true;
      place.append(make("p", { class: "problem" }, make("a", { href: "#login" }, "Log in above"), " and send it again."));
    }
  } catch (error) {
    place.replaceChildren(make("p", { class: "problem" }, `No answer: ${error.message}`));
  }
}

async function shownBody(response, type) {
  if (!type.startsWith("application/json") && !type.startsWith("text/")) {
    const length = response.headers.get("Content-Length");
    if (response.body) await response.body.cancel();
    return `${length || "some"} bytes of ${type || "a file"}, not shown: use the command above.`;
  }
  const text = await response.text();
  let shown = text;
  try {
    shown = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    // It is shown as it came.
  }
  return shown.length > LONGEST_ANSWER ? `${shown.slice(0, LONGEST_ANSWER)}\n… (${shown.length} characters)` : shown;
}

function tryForm(operation, showCommand) {
  const inputs = operation.parameters.filter((parameter) => parameter.in !== "header").map((parameter) => {
    const isFilter = parameter.schema.type === "object";
    const hint = isFilter ? "id=nightly&id=weekly" : String(parameter.schema.default ?? "");
    const input = make("input", {
      name: parameter.name, placeholder: hint, required: parameter.required, autocomplete: "off", spellcheck: "false",
      value: parameter.in === "path" ? parameter.example : undefined,
    });
    return make("label", {}, isFilter ? "filters by field" : parameter.name, input);
  });
  const place = make("div", { class: "answer", "aria-live": "polite" });
  const form = make("form", { class: "try", autocomplete: "off" }, inputs, make("button", { class: "send" }, "Send"));
  const values = () => Object.fromEntries([...new FormData(form)].map(([name, text]) => [name, String(text)]));
  form.addEventListener("input", () => showCommand(values()));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(operation, values(), place);
  });
  return [make("h3", {}, "Try it"), form, place];
}

function inside(spec, operation) {
  const { call, parameters, method } = operation;
  const command = make("div", {});
  const showCommand = (values) => {
    command.replaceChildren(copyable(curlOf(operation, values, value("server-version"), location.origin)));
  };
  showCommand(examplesOf(operation));
  return make("div", { class: "inside" },
    prose(call.description),
    isOpen(operation) ? make("p", { class: "permission" }, "Needs no login.") : null,
    make("h3", {}, "Command"), command,
    parameters.length ? [make("h3", {}, "Parameters"), parameterTable(spec, parameters)] : [],
    body(spec, operation),
    method === "get" ? tryForm(operation, showCommand) : [],
    answers(spec, operation));
}

function card(spec, operation) {
  const { path, method, call } = operation;
  const base = operation.servers === spec.servers ? "" : operation.servers[0].url.replace(/\/$/, "");
  const details = make("details", { class: "operation", id: operation.id },
    make("summary", {},
      make("span", { class: `method ${method}` }, method.toUpperCase()),
      make("span", { class: "path" }, base + path),
      make("span", { class: "title" }, call.summary),
      make("span", { class: "lock" }, isOpen(operation) ? "open" : call["x-permission"] || "any login")));
  details.addEventListener("toggle", () => {
    // What nobody opens is not built.
    if (details.open && details.children.length === 1) details.append(inside(spec, operation));
    if (details.open) history.replaceState(null, "", `#${operation.id}`);
  });
  return details;
}

function openNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!named) return;
  if (named.tagName === "DETAILS") named.open = true;
  named.scrollIntoView();
}

function show(spec) {
  document.getElementById("version").textContent = spec.info.version;
  document.getElementById("about").replaceChildren(...prose(spec.info.description));
  const version = spec.servers[0].variables.version;
  const select = document.getElementById("server-version");
  select.replaceChildren(...version.enum.map((name) => make("option", { selected: name === version.default }, name)));

  const operations = operationsOf(spec).map((operation) => ({ operation, words: haystack(operation), card: card(spec, operation) }));
  const sections = spec.tags.map((tag) => {
    const own = operations.filter(({ operation }) => operation.call.tags[0] === tag.name);
    const id = `tag-${tag.name.toLowerCase().replace(/\W+/g, "-")}`;
    const count = make("span", {}, String(own.length));
    const link = make("a", { href: `#${id}` }, tag.name, count);
    const section = make("section", {}, make("h2", { id }, tag.name), make("p", {}, tag.description), own.map((one) => one.card));
    return { own, section, link, count };
  });
  document.getElementById("operations").replaceChildren(...sections.map(({ section }) => section));
  document.getElementById("tags").replaceChildren(...sections.map(({ link }) => link));

  const filter = document.getElementById("filter");
  const apply = () => {
    const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let total = 0;
    for (const { own, section, link, count } of sections) {
      const found = own.filter((one) => {
        one.card.hidden = !wanted.every((word) => one.words.includes(word));
        return !one.card.hidden;
      });
      section.hidden = link.hidden = found.length === 0;
      link.style.display = link.hidden ? "none" : "";
      count.textContent = String(found.length);
      total += found.length;
    }
    const all = operations.length;
    document.getElementById("count").textContent = total === all ? `${all} calls` : `${total} of ${all} calls`;
  };
  filter.addEventListener("input", apply);
  apply();
  openNamed();
}

async function start() {
  document.addEventListener("keydown", (event) => {
    const filter = document.getElementById("filter");
    const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      filter.focus();
    } else if (event.key === "Escape" && document.activeElement === filter) {
      filter.value = "";
      filter.dispatchEvent(new Event("input"));
    }
  });
  document.getElementById("credentials").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", openNamed);
  try {
    const response = await fetch("/service/openapi.json", { credentials: "omit" });
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    show(await response.json());
  } catch (error) {
    document.getElementById("loading").textContent = `The description can't be read: ${error.message}`;
  }
}

start();
