"""A measured house behind real Modbus servers, and the runner that shows site and cloud around it."""
