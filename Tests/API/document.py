"""The served document, and whether an answer is of it."""

import json
import re

import jsonschema

# Whose success is brought about elsewhere: links of alerts lead to pages for people
# (ApprovalServeTests), the fleet's brake holds after many failovers only (BrakeServeTests), and a
# hook is left undone where a name server was away (UndoneHookServeTests).
ELSEWHERE = {"approvalLinkShow", "approvalLinkAnswer", "brakeClear", "hookDismiss"}


def close(schema):
    """Answers may gain fields in a later version, so the document leaves them open. Here a field
    that is not described is a fault: every object of an answer is closed."""
    if isinstance(schema, list):
        for element in schema:
            close(element)
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        schema.setdefault("additionalProperties", False)
    for value in schema.values():
        close(value)


def close_answers(document):
    for operation in operations(document):
        for answer in operation["responses"].values():
            close(answer)
    close(document["components"]["schemas"])


def operations(document):
    return [operation for path in document["paths"].values() for operation in path.values()]


class Document:
    def __init__(self, text):
        self.json = json.loads(text)
        close_answers(self.json)
        self.routes = [
            (method.upper(), re.compile(re.sub(r"\{[a-z_]+\}", "[^/]+", path)), operation)
            for path, methods in self.json["paths"].items()
            for method, operation in methods.items()
        ]

    def operation(self, method, path):
        path = path.split("?")[0]
        found = [one for verb, route, one in self.routes
                 if verb == method and route.fullmatch(path)]
        # A path without a parameter is the nearer one.
        return min(found, key=lambda one: len(one.get("parameters", [])))

    def check(self, method, path, status, body):
        """Raises where the answer is not described; else the operation's id."""
        operation = self.operation(method, path)
        content = operation["responses"][str(status)]["content"]
        schema = next(iter(content.values()))["schema"]
        jsonschema.Draft202012Validator(
            schema | {"components": self.json["components"]}
        ).validate(body)
        return operation["operationId"]

    def unseen(self, seen):
        """Operations of which no success was seen, so that their answers are not shown true."""
        return sorted(
            operation["operationId"]
            for operation in operations(self.json)
            if operation["operationId"] not in seen | ELSEWHERE
        )
