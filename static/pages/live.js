// An example client of the live events: signs in, lists sessions, follows, resumes.

const api = "/api/v1";
const ended = 4401;
const at = (id) => document.getElementById(id);

let tokens = null;
let socket = null;
let lastEvent = "";
let renewal = 0;
let keepAlive = 0;

async function call(method, path, body) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  if (tokens) headers.Authorization = `Bearer ${tokens.access_token}`;
  const answer = await fetch(api + path, { method, headers, body: body && JSON.stringify(body) });
  const content = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Error(content.detail ?? `Answer ${answer.status}`);
  return content;
}

function tell(text) {
  at("told").textContent = text;
}

function item(text, label, action) {
  const line = document.createElement("li");
  line.append(text);
  if (label) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.addEventListener("click", () => action(button).catch((fault) => tell(fault.message)));
    line.append(" ", button);
  }
  return line;
}

async function showSessions() {
  const { sessions } = await call("GET", "/sessions/me");
  at("sessions").replaceChildren(
    ...sessions.map((session) =>
      session.is_current
        ? item(`${session.device_name} (this one)`)
        : item(session.device_name, "End", () => call("DELETE", `/sessions/${session.id}`)),
    ),
  );
}

async function showOrganizations() {
  const organizations = await call("GET", "/organizations/me");
  at("organizations").replaceChildren(...organizations.map(({ name, my_role }) => item(`${name}: ${my_role}`)));
  for (const { id } of organizations) send({ type: "subscribe", organization_id: id });
}

function send(frame) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const opened = new WebSocket(`${scheme}://${location.host}/ws/v1/events`, ["bearer", tokens.access_token]);
  opened.addEventListener("message", ({ data }) => hear(JSON.parse(data)));
  // One that was given up says nothing of the session.
  opened.addEventListener("close", ({ code }) => opened === socket && close(code));
  socket = opened;
}

function state(text, open) {
  at("state").textContent = text;
  at("state").dataset.open = open;
}

async function hear(frame) {
  // Ids are ordered by time; `ready` and `pong` name a place in the log as well.
  const since = lastEvent;
  const id = frame.id ?? frame.last_event_id ?? "";
  if (id > lastEvent) lastEvent = id;
  if (frame.type === "ready") {
    state("Connected", true);
    renew(frame.expires_at);
    await showOrganizations();
    if (since) send({ type: "resume", after: since });
  }
  if (frame.id) show(frame);
  if (frame.code === "resume_gap" || frame.type.startsWith("session.")) await showSessions();
}

const seen = new Set();

function show(frame) {
  // A replay repeats what was told shortly before.
  if (seen.has(frame.id)) return;
  seen.add(frame.id);
  at("events").prepend(item(`${new Date(frame.at).toLocaleTimeString()} ${frame.type} ${JSON.stringify(frame.data)}`));
}

// A minute before its end: the refresh token is spent, and the socket stays open.
function renew(expiresAt) {
  clearTimeout(renewal);
  const wait = Math.max(new Date(expiresAt) - Date.now() - 60_000, 5_000);
  renewal = setTimeout(async () => {
    if (await refresh()) send({ type: "authenticate", access_token: tokens.access_token });
  }, wait);
}

async function refresh() {
  try {
    tokens = await call("POST", "/auth/refresh", { refresh_token: tokens.refresh_token });
    return true;
  } catch {
    leave("Your session has ended. Sign in again.");
    return false;
  }
}

async function close(code) {
  if (!tokens) return;
  // The access token has ended, and with it perhaps the session.
  if (code === ended && !(await refresh())) return;
  state("Connecting again …", false);
  setTimeout(() => tokens && connect(), 1_000 + 4_000 * Math.random());
}

function leave(reason) {
  clearTimeout(renewal);
  clearInterval(keepAlive);
  tokens = null;
  lastEvent = "";
  socket?.close();
  at("signed-in").hidden = true;
  at("sign-in").hidden = false;
  tell(reason);
}

at("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  try {
    tokens = await call("POST", "/auth/login", Object.fromEntries(new FormData(form)));
  } catch (fault) {
    tell(fault.message);
    return;
  }
  form.reset();
  form.hidden = true;
  at("signed-in").hidden = false;
  tell("");
  keepAlive = setInterval(() => send({ type: "ping" }), 30_000);
  connect();
  await showSessions();
});

at("sign-out").addEventListener("click", async () => {
  socket?.close();
  socket = null;
  await call("POST", "/auth/logout");
  leave("Signed out.");
});
