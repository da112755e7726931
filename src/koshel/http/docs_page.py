"""The API to read in a browser: one page of HTML that needs nothing from anywhere."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #0a7d5a; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
code { font: 0.9em ui-monospace, monospace; overflow-wrap: anywhere; }
h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1.5rem; font-size: 1.1rem; }
h2 b { color: var(--accent); margin-right: 0.5rem; }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0 1rem; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.8rem 0.3rem 0; border-bottom: 1px solid var(--soft); }
th { font-weight: 600; white-space: nowrap; }
h3 { font-size: 0.95rem; margin: 1rem 0 0; }
"""

STYLE_HASH = f"sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}"  # by which a browser knows it again


def render(document: Mapping[str, Any]) -> str:
    """The page for an OpenAPI document."""
    info = document["info"]
    schemas = document["components"]["schemas"]
    operations = [
        _operation(method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    described = [_schema(name, schema) for name, schema in sorted(schemas.items())]
    lead = (
        f'<p>{escape(info["description"])} Version {escape(info["version"])}, <a href="/openapi.json">OpenAPI</a>.</p>'
    )
    return page(info["title"], "".join([lead, *operations, *described]))


def index(name: str, version: str, description: str) -> str:
    """The page at the root: what this is, and where the rest is."""
    lead = f"<p>{escape(description)} A wallet service, version {escape(version)}.</p>"
    places = {
        "/docs": "The API, to read.",
        "/openapi.json": "The API, for programs: OpenAPI 3.1.",
        "/health/ready": "Whether the service can be used now.",
    }
    rows = "".join(f'<tr><th><a href="{path}">{path}</a></th><td>{text}</td></tr>' for path, text in places.items())
    api = {
        "/account": "Accounts: POST opens one, GET /account/{id} reads it.",
        "/transaction": "Transactions: POST moves money, GET /transaction/{id} reads what was done.",
    }
    return page(name, f"{lead}<table>{rows}</table><h2>The API</h2>{definitions(api)}")


def page(title: str, body: str) -> str:
    """A page with a title; the body is HTML."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    content = f"<h1>{escape(title)}</h1>{body}"
    return f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{content}</body></html>\n'


def definitions(rows: Mapping[str, str]) -> str:
    """A table of names and texts."""
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows.items())
    return f"<table>{cells}</table>"


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    parameters = {p["name"]: p.get("description") or f"in the {p['in']}" for p in operation["parameters"]}
    replies = {status: reply["description"] for status, reply in operation["responses"].items()}
    parts = [f'<h2 id="{escape(operation["operationId"])}"><b>{method}</b><code>{escape(path)}</code></h2>']
    parts.append(f"<p>{escape(operation['summary'])}.</p>")
    if parameters:
        parts.append(f"<h3>Parameters</h3>{definitions(parameters)}")
    if "requestBody" in operation:
        parts.append(f"<h3>Body</h3><p>{_links(operation['requestBody'])}</p>")
    parts.append(f"<h3>Replies</h3>{definitions(replies)}<p>{_links(*operation['responses'].values())}</p>")
    return "".join(parts)


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = {
        f"{field}{'' if field in required else ' (optional)'}": "; ".join(_facts(value))
        for field, value in schema.get("properties", {}).items()
    }
    note = "; ".join(filter(None, [schema.get("description", ""), *_bounds(schema)]))
    forms = " · ".join(_link(form["$ref"]) for form in schema.get("oneOf", ()))
    table = f"<p>One of: {forms}</p>" if forms else definitions(rows)
    return f'<h2 id="schema-{escape(name)}">{escape(name)}</h2><p>{escape(note)}</p>{table}'


def _facts(value: Mapping[str, Any]) -> Iterator[str]:
    yield " or ".join(_type(option) for option in value.get("anyOf", [value]))
    if "description" in value:
        yield value["description"]
    yield from _bounds(value)


def _type(value: Mapping[str, Any]) -> str:
    if "items" in value:
        return f"array of {_type(value['items'])}"
    return str(value.get("type", value.get("$ref", "any").rsplit("/", 1)[-1]))


def _bounds(value: Mapping[str, Any]) -> Iterator[str]:
    for name in ("const", "pattern", "format", "minimum", "maximum", "maxLength", "maxProperties"):
        if name in value:
            yield f"{name} {value[name]}"
    if "enum" in value:
        yield f"one of {', '.join(value['enum'])}"


def _links(*bodies: Mapping[str, Any]) -> str:
    """Links to all that these bodies may be, each once."""
    schemas = [media["schema"] for body in bodies for media in body.get("content", {}).values()]
    references = [form["$ref"] for schema in schemas for form in schema.get("oneOf", [schema]) if "$ref" in form]
    return " · ".join(map(_link, dict.fromkeys(references)))


def _link(reference: str) -> str:
    name = escape(reference.rsplit("/", 1)[-1])
    return f'<a href="#schema-{name}"><code>{name}</code></a>'
