import "./style.css"; import { render } from "preact"; render(<p>Gearpump</p>, document.getElementById("app"));
