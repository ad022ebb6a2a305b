"""Edge: what measures at a tap, behind one small port, whether an existing entity or a Modbus unit."""
