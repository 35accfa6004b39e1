"""Middleware: admission, error mapping, instrumentation."""
