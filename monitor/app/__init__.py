"""The one place that builds everything: settings and files in, working parts out."""
