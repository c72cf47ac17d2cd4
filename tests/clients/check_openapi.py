"""Judges the description of the API with other people's code.

    check_openapi.py FILE      FILE holds {"document": …, "answers": [{method, path, status, body}, …]}

The document has to be OpenAPI 3.1; every example and default in it has to fit its schema; and so has every
answer that a server gave, at a status that the document names.
"""

import json
import sys

from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

METHODS = ("get", "head", "put", "post", "patch", "delete")


def pointer(*keys):
    return "#/" + "/".join(key.replace("~", "~0").replace("/", "~1") for key in keys)


class Judge:
    def __init__(self, document):
        self.document = document
        self.registry = Registry().with_resource("urn:api", Resource(document, DRAFT202012))
        self.problems = []
        self.count = 0

    def fits(self, where, value, keys):
        """Checks a value against the schema that stands in the document under these keys."""
        schema = {"$ref": "urn:api" + pointer(*keys)}
        self.count += 1
        for error in OAS31Validator(schema, registry=self.registry).iter_errors(value):
            self.problems.append("%s: %s: %s" % (where, error.json_path, error.message))

    def content(self, where, content, keys):
        for kind, media in content.items():
            schema = keys + ("content", kind, "schema")
            if "example" in media:
                self.fits(where, media["example"], schema)
            for name, example in media.get("examples", {}).items():
                self.fits("%s (%s)" % (where, name), example["value"], schema)
            if kind == "application/json" and "example" not in media and "examples" not in media:
                self.problems.append("%s: has no example" % where)

    def defaults(self, schema, keys):
        """Every default anywhere below fits the schema beside it."""
        if isinstance(schema, dict):
            if keys and "default" in schema and keys[-1] not in ("properties", "variables") and keys[0] == "paths":
                self.fits("/".join(keys), schema["default"], keys)
            for key, value in schema.items():
                if key != "examples" and key != "example":
                    self.defaults(value, keys + (key,))

    def operation(self, path, method, operation):
        where, keys = "%s %s" % (method, path), ("paths", path, method)
        if "requestBody" in operation:
            self.content(where + " body", operation["requestBody"]["content"], keys + ("requestBody",))
        for status, response in operation["responses"].items():
            at = keys + ("responses", status)
            self.content("%s %s" % (where, status), response.get("content", {}), at)

    def answer(self, answer):
        path, method, status = answer["path"], answer["method"], str(answer["status"])
        where = "the answer to %s %s" % (method, path)
        responses = self.document["paths"][path][method]["responses"]
        if status not in responses:
            self.problems.append("%s: status %s is not described" % (where, status))
            return
        if "application/json" in responses[status].get("content", {}):
            keys = ("paths", path, method, "responses", status, "content", "application/json", "schema")
            self.fits(where, answer["body"], keys)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        given = json.load(file)
    document = given["document"]
    judge = Judge(document)
    for error in OpenAPIV31SpecValidator(document).iter_errors():
        judge.problems.append("not OpenAPI 3.1: %s: %s" % (list(error.absolute_path), error.message))
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                judge.operation(path, method, item[method])
    judge.defaults(document, ())
    for answer in given["answers"]:
        judge.answer(answer)
    for problem in judge.problems:
        print(problem)
    if judge.problems:
        sys.exit(1)
    print("the document is sound: %d values fit their schemas, %d answers among them"
          % (judge.count, len(given["answers"])))


main()
