"""Several servers behind one model: limits, circuit breakers, waiting."""
