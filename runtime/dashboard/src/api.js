// Talks to gpd: requests with the token in a header, errors in its words, and the stream of events.

const BASE = "/api/v1";
const TOKEN_KEY = "gearpump.token";

export class ApiError extends Error {
  constructor(status, body) {
    const error = (body && body.error) || {};
    super(error.what || (status ? `gpd answered ${status}` : "gpd does not answer"));
    this.status = status;
    this.code = error.code || "";
    this.why = error.why || "";
    this.remedy = error.try || "";
  }
}

export function token() {
  return sessionStorage.getItem(TOKEN_KEY) || localStorage.getItem(TOKEN_KEY) || "";
}

export function tokenKeep(text, remember) {
  tokenForget();
  (remember ? localStorage : sessionStorage).setItem(TOKEN_KEY, text);
}

export function tokenForget() {
  sessionStorage.removeItem(TOKEN_KEY);
  localStorage.removeItem(TOKEN_KEY);
}

const headers = () => (token() ? { Authorization: `Bearer ${token()}` } : {});

// Set by the page: asks for the token; true if one was given.
let askToken = async () => false;
export function onTokenWanted(ask) {
  askToken = ask;
}

// Many may need it at once: they wait for the same answer.
let asked = null;
function tokenGiven(error) {
  asked ||= askToken(error).finally(() => {
    asked = null;
  });
  return asked;
}

async function bodyOf(response) {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export async function read(path, signal) {
  let response;
  try {
    response = await fetch(BASE + path, { headers: headers(), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0);
  }
  const body = await bodyOf(response);
  if (response.status === 401 && !token() && (await tokenGiven())) return read(path, signal);
  if (!response.ok) throw new ApiError(response.status, body);
  return body;
}

// Names one order of a person: sent again, it makes nothing new. crypto.randomUUID() is not there on plain
// http from another host.
export function requestId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// One upload or order; fetch() cannot tell how far an upload is.
function sendOnce(method, path, body, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, BASE + path);
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    if (body) request.setRequestHeader("Content-Type", "application/octet-stream");
    if (onProgress) request.upload.onprogress = (e) => e.lengthComputable && onProgress(e.loaded / e.total);
    request.onerror = () => reject(new ApiError(0));
    request.onload = () => {
      let answer = null;
      try {
        answer = JSON.parse(request.responseText || "null");
      } catch {
        answer = request.responseText;
      }
      if (request.status >= 200 && request.status < 300) resolve(answer);
      else reject(new ApiError(request.status, answer));
    };
    request.send(body || null);
  });
}

// Changes something. Asks for the token first if there is none, and again if it is refused.
export async function send(method, path, body, onProgress) {
  if (!token() && !(await askToken())) return undefined;
  for (;;) {
    try {
      return await sendOnce(method, path, body, onProgress);
    } catch (error) {
      if (error.status !== 401) throw error;
      tokenForget();
      if (!(await tokenGiven(error))) return undefined;
    }
  }
}

// Server-sent events over fetch(), for EventSource cannot send a header. Reconnects until the signal
// is aborted, from where it left off.
export async function follow(path, onEvent, onState, signal) {
  let last = "";
  let wait_ms = 500;
  while (!signal.aborted) {
    try {
      const response = await fetch(BASE + path, {
        headers: { ...headers(), Accept: "text/event-stream", ...(last && { "Last-Event-ID": last }) },
        signal,
      });
      if (!response.ok || !response.body) throw new ApiError(response.status);
      onState(true);
      wait_ms = 500;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        text += value.replace(/\r/g, "");
        let end;
        while ((end = text.indexOf("\n\n")) >= 0) {
          const event = parseEvent(text.slice(0, end));
          text = text.slice(end + 2);
          if (event.id) last = event.id;
          if (event.data) onEvent(event);
        }
      }
    } catch (error) {
      if (signal.aborted) return;
    }
    onState(false);
    await new Promise((resolve) => setTimeout(resolve, wait_ms));
    wait_ms = Math.min(wait_ms * 2, 10000);
  }
}

export function parseEvent(block) {
  const event = { id: "", event: "", data: "" };
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") event.data += event.data ? `\n${value}` : value;
    else if (name in event) event[name] = value;
  }
  return event;
}
