"""Reports of propagation as people look at them: tables, HTML, figures."""
