// Where the processors and edges of a graph are drawn: dagre's layered layout, kept until the shape of
// the graph changes, so that nothing jumps while numbers do.
import { Graph, layout } from "@dagrejs/dagre";

export const NODE_WIDTH = 216;
export const NODE_HEIGHT = 92;

export function place(names, edges, direction) {
  const g = new Graph({ multigraph: true });
  g.setGraph({
    rankdir: direction,
    nodesep: direction === "LR" ? 26 : 22,
    ranksep: direction === "LR" ? 84 : 58,
    marginx: 14,
    marginy: 16,
  });
  g.setDefaultEdgeLabel(() => ({}));
  for (const name of names) g.setNode(name, { width: NODE_WIDTH, height: NODE_HEIGHT });
  edges.forEach((e, i) => g.setEdge(e.from, e.to, {}, String(i)));
  layout(g);
  const { width, height } = g.graph();
  return {
    width: Math.max(width, NODE_WIDTH + 28),
    height: Math.max(height, NODE_HEIGHT + 32),
    nodes: new Map(names.map((n) => [n, g.node(n)])),
    paths: edges.map((e, i) => curve(ported(g.edge(e.from, e.to, String(i)).points, g.node(e.from), g.node(e.to), direction), direction)),
  };
}

// The same points, but leaving and arriving in the middle of a side rather than at a corner.
function ported(points, from, to, direction) {
  const [x, y] = direction === "LR" ? [NODE_WIDTH / 2, 0] : [0, NODE_HEIGHT / 2];
  // Points between matter only where the edge passes other layers.
  const inner = points.length > 3 ? points.slice(1, -1) : [];
  return [{ x: from.x + x, y: from.y + y }, ...inner, { x: to.x - x, y: to.y - y }];
}

// A smooth line through the points: it leaves and arrives along the direction of the graph.
function curve(points, direction) {
  const along = direction === "LR" ? "x" : "y";
  let d = `M${points[0].x.toFixed(1)} ${points[0].y.toFixed(1)}`;
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1], points[i]];
    const half = (b[along] - a[along]) / 2;
    const [c1, c2] = along === "x" ? [{ x: a.x + half, y: a.y }, { x: b.x - half, y: b.y }]
      : [{ x: a.x, y: a.y + half }, { x: b.x, y: b.y - half }];
    d += `C${[c1, c2, b].map((p) => `${p.x.toFixed(1)} ${p.y.toFixed(1)}`).join(" ")}`;
  }
  return d;
}
