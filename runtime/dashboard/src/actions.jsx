// What a person can order: submit, kill, restart; each says what it will do before it does it.
import { useRef, useState } from "preact/hooks";
import { onTokenWanted, requestId, send, tokenKeep } from "./api.js";
import { bytes } from "./format.js";
import { Icon } from "./icons.jsx";
import { Dialog, Empty, notice } from "./parts.jsx";

// ---- the token, asked once ----

export function TokenDialog() {
  const [wanted, setWanted] = useState(null);
  onTokenWanted((error) => new Promise((resolve) => setWanted({ error, resolve })));
  if (!wanted) return null;
  const end = (given) => {
    setWanted(null);
    wanted.resolve(given);
  };
  const onSubmit = (e) => {
    e.preventDefault();
    const form = new FormData(e.target);
    const text = String(form.get("token")).trim();
    if (!text) return;
    tokenKeep(text, form.get("remember") === "on");
    end(true);
  };
  return (
    <Dialog title="This needs the token of the cluster" onClose={() => end(false)}>
      <form onSubmit={onSubmit}>
        {wanted.error && <Empty error={wanted.error} />}
        <p>Whoever starts, kills or changes something shows a token. It stands in a file beside the secret of the cluster, named by <code>http.token_file</code>.</p>
        <label>Token<input name="token" type="password" autocomplete="off" spellcheck={false} autofocus required /></label>
        <label class="check"><input name="remember" type="checkbox" />Remember it on this computer</label>
        <div class="buttons"><button type="submit" class="main">Continue</button></div>
      </form>
    </Dialog>
  );
}

// ---- kill and restart ----

const ORDERS = {
  kill: {
    title: (a) => `Kill ${a.name}?`,
    text: () => "Its tasks end at once. Messages that are on their way are dropped. This cannot be undone, but the application can be restarted.",
    button: "Kill", tone: "danger",
    done: (a) => `${a.name} is being killed`,
  },
  restart: {
    title: (a) => `Restart ${a.name}?`,
    text: () => "The same program starts again with the same settings, under a new number. If it still runs, it is killed first.",
    button: "Restart", tone: "main",
    done: (a, answer) => `${a.name} was restarted${answer?.id ? ` as ${answer.id}` : ""}`,
  },
};

export function OrderDialog({ order, app, onDone, onClose }) {
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const id = useRef(requestId());
  const spec = ORDERS[order];
  const act = async () => {
    setBusy(true);
    setError(null);
    try {
      const once = order === "restart" ? `?request_id=${id.current}` : "";
      const answer = await send("POST", `/apps/${app.id}/${order}${once}`);
      if (answer !== undefined) {
        notice(spec.done(app, answer));
        onDone(answer);
      }
      onClose();
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  return (
    <Dialog title={spec.title(app)} onClose={onClose}>
      <p>{spec.text(app)}</p>
      {error && <Empty error={error} />}
      <div class="buttons">
        <button type="button" onClick={onClose} autofocus>Leave it</button>
        <button type="button" class={spec.tone} disabled={busy} onClick={act}>{spec.button}</button>
      </div>
    </Dialog>
  );
}

// ---- submit ----

function pathOf(form, id) {
  const query = new URLSearchParams({ request_id: id });
  for (const name of ["name", "executors"]) {
    const value = String(form.get(name) || "").trim();
    if (value) query.set(name, value);
  }
  for (const name of ["set", "place"]) {
    for (const line of String(form.get(name) || "").split("\n")) {
      if (line.trim()) query.append(name, line.trim());
    }
  }
  if (form.get("priority") !== "normal") query.set("priority", form.get("priority"));
  if (!form.get("wait")) query.set("no_wait", "true");
  return `/apps?${query}`;
}

// Buttons of which one is pressed, for a form.
function Radios({ name, legend, options, initial }) {
  return (
    <fieldset>
      <legend>{legend}</legend>
      <div class="choice wide">
        {options.map(([value, text]) => <label key={value}><input type="radio" class="unseen" name={name} value={value} defaultChecked={value === initial} />{text}</label>)}
      </div>
    </fieldset>
  );
}

function SubmitDialog({ file, onDone, onClose }) {
  const [share, setShare] = useState(null);
  const [error, setError] = useState(null);
  const id = useRef(requestId());
  const onSubmit = async (e) => {
    e.preventDefault();
    const path = pathOf(new FormData(e.target), id.current);
    setError(null);
    setShare(0);
    try {
      const answer = await send("POST", path, file, setShare);
      if (answer !== undefined) {
        notice(`${file.name} was submitted${answer?.id ? ` as application ${answer.id}` : ""}`);
        onDone(answer);
        onClose();
      }
      setShare(null);
    } catch (failure) {
      setError(failure);
      setShare(null);
    }
  };
  return (
    <Dialog title="Submit an application" onClose={onClose}>
      <form onSubmit={onSubmit}>
        <p class="file"><Icon name="file" /><strong>{file.name}</strong> <span class="note">{bytes(file.size)}</span></p>
        <div class="pair">
          <label>Name<input name="name" placeholder="as the program calls itself" autocomplete="off" autofocus /></label>
          <label>Executors<input name="executors" inputmode="numeric" pattern="[0-9]*" placeholder="one on each worker" autocomplete="off" /></label>
        </div>
        <Radios name="priority" legend="Priority, when slots are short" initial="normal" options={[["low", "Low"], ["normal", "Normal"], ["high", "High"]]} />
        <label class="check"><input name="wait" type="checkbox" defaultChecked />Wait if there are too few slots, instead of failing</label>
        <label>Settings, one a line<textarea name="set" rows="2" placeholder="key=value" spellcheck={false} /></label>
        <details>
          <summary>Where its tasks run</summary>
          <label>Places, one a line<textarea name="place" rows="2" placeholder={"processor=label:disk=ssd\nprocessor=worker:name"} spellcheck={false} /></label>
        </details>
        {share !== null && (
          <label class="sent">{share < 1 ? `Sending, ${Math.round(share * 100)} %` : "Waiting for the master"}<progress max="1" value={share} /></label>
        )}
        {error && <Empty error={error} />}
        <div class="buttons">
          <button type="button" onClick={onClose}>Leave it</button>
          <button type="submit" class="main" disabled={share !== null}>Submit</button>
        </div>
      </form>
    </Dialog>
  );
}

export function DropZone({ onSubmitted }) {
  const [over, setOver] = useState(false);
  const [file, setFile] = useState(null);
  const input = useRef(null);
  const take = (list) => list?.length && setFile(list[0]);
  return (
    <>
      <div class={`drop ${over ? "over" : ""}`}
        onDragOver={(e) => (e.preventDefault(), setOver(true))}
        onDragLeave={() => setOver(false)}
        onDrop={(e) => (e.preventDefault(), setOver(false), take(e.dataTransfer.files))}>
        <Icon name="upload" />
        <span>Drop a job here, a shared object such as <code>wordcount.so</code>, or</span>
        <button type="button" class="main" onClick={() => input.current.click()}>Choose a file</button>
        <input ref={input} type="file" accept=".so" hidden aria-label="Job to submit" onChange={(e) => (take(e.target.files), (e.target.value = ""))} />
      </div>
      {file && <SubmitDialog file={file} onDone={onSubmitted} onClose={() => setFile(null)} />}
    </>
  );
}
