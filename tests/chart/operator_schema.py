"""The Prometheus Operator's resources, as far as the chart uses them: monitoring.coreos.com/v1.

Stricter than the operator's own, as it knows no field that the chart does not use.
"""

from typing import Any

import jsonschema  # type: ignore[import-untyped] # it has annotations but no py.typed

_STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
_DURATION = {"type": "string", "pattern": r"^[1-9][0-9]*(ms|s|m|h)$"}


def _only(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": properties,
    }


def _resource(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return _only(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion={"const": "monitoring.coreos.com/v1"},
        kind={"const": kind},
        metadata=_only(("name",), name={"type": "string"}, labels=_STRINGS),
        spec=spec,
    )


_RULE = _only(
    ("alert", "expr"),
    alert={"type": "string"},
    expr={"type": "string"},
    labels=_STRINGS,
    annotations=_STRINGS,
    **{"for": _DURATION},
)
_GROUP = _only(
    ("name", "rules"), name={"type": "string", "minLength": 1}, rules={"type": "array", "items": _RULE}
)
_ENDPOINT = _only(("port",), port={"type": "string"}, path={"type": "string"}, interval=_DURATION)
_SCHEMAS = {
    "PodMonitor": _resource(
        "PodMonitor",
        _only(
            ("selector", "podMetricsEndpoints"),
            selector=_only(("matchLabels",), matchLabels=_STRINGS),
            podMetricsEndpoints={"type": "array", "minItems": 1, "items": _ENDPOINT},
        ),
    ),
    "PrometheusRule": _resource(
        "PrometheusRule", _only(("groups",), groups={"type": "array", "items": _GROUP})
    ),
}


def validate(resource: dict[str, Any]) -> None:
    """Raises jsonschema.ValidationError where it is no PodMonitor or PrometheusRule."""
    jsonschema.validate(resource, _SCHEMAS[resource["kind"]])
