"""Pushing code: for `npx convex` and for `parabola deploy`."""
