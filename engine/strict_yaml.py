"""Reads YAML that people write, so that nothing in it is lost silently. Knows nothing of what it says."""

import yaml

# With nested aliases, a few hundred characters can expand to more than any memory holds.
MOST_VALUES = 200_000


def read_yaml(text: str) -> object:
    """Return the one document as plain Python values.

    Raises yaml.YAMLError, also for a name that a mapping holds twice, of which the library would silently keep the last
    one, and for more than `MOST_VALUES` values, each counted as often as it is referenced; ValueError and
    RecursionError like the library.
    """
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _mend(root)
        return loader.construct_document(root)
    except (LookupError, AttributeError) as error:  # `!!bool maybe`, `!!timestamp soon`, `!!int ""`
        raise yaml.YAMLError("a value does not match its tag or its form") from error
    finally:
        loader.dispose()


def _mend(root: yaml.Node) -> None:
    """Refuse duplicate names; join surrogate pairs, as JSON writes characters beyond U+FFFF."""
    left, values = [root], 0
    while left:
        node = left.pop()
        values += 1
        if values > MOST_VALUES:
            raise yaml.YAMLError(f"it holds more than {MOST_VALUES:,} values, counting what aliases repeat")
        if isinstance(node, yaml.MappingNode):
            names: set[tuple[str, str]] = set()
            for name, value in node.value:
                left += [name, value]
                if isinstance(name, yaml.ScalarNode) and (name.tag, name.value) in names:
                    raise yaml.MarkedYAMLError(problem=f"{name.value!r} is there twice", problem_mark=name.start_mark)
                if isinstance(name, yaml.ScalarNode):
                    names.add((name.tag, name.value))
        elif isinstance(node, yaml.SequenceNode):
            left += node.value
        elif isinstance(node, yaml.ScalarNode):
            try:
                node.value = node.value.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
            except UnicodeDecodeError:
                raise yaml.MarkedYAMLError(
                    problem="half of a surrogate pair is missing", problem_mark=node.start_mark
                ) from None
