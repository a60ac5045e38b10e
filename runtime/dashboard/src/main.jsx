// The page: its head, the place that the address names, and what is said across all of it.
import "./style.css";
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { TokenDialog } from "./actions.jsx";
import { token, tokenForget } from "./api.js";
import { App } from "./app.jsx";
import { Apps } from "./apps.jsx";
import { Cluster } from "./cluster.jsx";
import { clock } from "./format.js";
import { Icon } from "./icons.jsx";
import { silence, theme, themeSet, usePoll, useShared } from "./live.js";
import { Notices, notice } from "./parts.jsx";

const THEMES = { auto: ["light", "Colours as the system has them"], light: ["dark", "Light colours"], dark: ["auto", "Dark colours"] };
const THEME_ICONS = { auto: "auto", light: "sun", dark: "moon" };

function usePlace() {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const onChange = () => setHash(location.hash);
    addEventListener("hashchange", onChange);
    return () => removeEventListener("hashchange", onChange);
  }, []);
  return hash.replace(/^#\/?/, "").split("/").filter(Boolean);
}

function ThemeButton() {
  const name = useShared(theme);
  const [next, text] = THEMES[name] || THEMES.auto;
  return <button type="button" class="bare" onClick={() => themeSet(next)} title={text} aria-label={`${text}: change`}><Icon name={THEME_ICONS[name] || "auto"} /></button>;
}

function Head({ place }) {
  const { data } = usePoll("/version", 0);
  const here = place[0] === "apps" ? "apps" : "cluster";
  const link = (name, href, text) => <a href={href} aria-current={here === name ? "page" : undefined}>{text}</a>;
  const forget = () => {
    tokenForget();
    notice("The token was forgotten");
  };
  return (
    <header class="top">
      <div>
        <a class="brand" href="#/"><span class="logo"><Icon name="gear" /></span>Gearpump</a>
        <nav aria-label="Pages">{link("cluster", "#/", "Cluster")}{link("apps", "#/apps", "Applications")}</nav>
        <span class="note version">{data?.cluster || ""} {data?.version ? `v${data.version}` : ""}</span>
        {token() && <button type="button" class="bare" onClick={forget} title="Forget the token" aria-label="Forget the token"><Icon name="key" /></button>}
        <ThemeButton />
      </div>
    </header>
  );
}

function Silence() {
  const since = useShared(silence);
  return since ? <div class="banner warn wide" role="alert"><Icon name="warn" /><div><strong>gpd does not answer</strong><span>What is shown was known at {clock(since)}. Trying again.</span></div></div> : null;
}

const TITLES = { apps: "Applications" };

function Page() {
  const place = usePlace();
  const main = useRef(null);
  const first = useRef(true);
  const key = place.join("/");
  useEffect(() => {
    document.title = `${place[1] ? `Application ${place[1]}` : TITLES[place[0]] || "Cluster"} - Gearpump`;
    if (!first.current) {
      scrollTo(0, 0);
      main.current.focus({ preventScroll: true });
    }
    first.current = false;
  }, [key]);
  return (
    <>
      <a class="skip" href="#main" onClick={(e) => (e.preventDefault(), main.current.focus())}>Skip to the content</a>
      <Head place={place} />
      <main id="main" ref={main} tabindex="-1">
        <Silence />
        {place[0] === "apps" && place[1] ? <App key={place[1]} id={decodeURIComponent(place[1])} /> : place[0] === "apps" ? <Apps /> : <Cluster />}
      </main>
      <footer><a href="/licences">Licences</a><a href="/api/v1/openapi.json">API</a><a href="/metrics">Metrics</a></footer>
      <Notices />
      <TokenDialog />
    </>
  );
}

render(<Page />, document.getElementById("app"));
