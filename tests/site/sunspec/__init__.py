"""SunSpec devices: real images and built ones, served by a real Modbus server."""
