"""Other frameworks' initializers: their names, arguments, defaults and laws, drawn by jinit."""
