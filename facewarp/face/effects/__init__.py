"""Effects: options -> base -> one module an effect -> plugins -> factory; gallery and preview."""
