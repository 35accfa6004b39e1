"""`kubia-pet check`: whether this cluster keeps what a StatefulSet promises, and how it is mended if not."""
