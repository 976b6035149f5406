import { ConvexProvider, ConvexReactClient } from "convex/react";
import { createRoot } from "react-dom/client";
import { Search } from "./Search";
import "./style.css";

// The deployment serves this page, so it is at the same origin.
const convex = new ConvexReactClient(location.origin);

createRoot(document.getElementById("root")!).render(
  <ConvexProvider client={convex}>
    <Search />
  </ConvexProvider>,
);
