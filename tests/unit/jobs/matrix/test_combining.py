"""Several templates, tables, and the ways to combine values."""

# ruff: noqa: PD011 - the values of a cell are no pandas object
import itertools
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from conftest import sandbox_of

import wonda_widgets as ww
from wonda_widgets.jobs.matrix import table_rows, tables
from wonda_widgets.jobs.matrix.planning import make_plan
from wonda_widgets.models import GenerationModel
from wonda_widgets.sandbox.catalog import MODELS

KNOWN = [
    GenerationModel(
        key=model.key,
        label=model.label,
        params=model.schema,
        attachments=[{"kind": "image"}],
    )
    for model in MODELS.values()
]
NOT_UTF_8 = "subjects.csv is not a CSV file in UTF-8.*CSV UTF-8"
MODEL = "nano-banana-2"
ROWS = [{"subject": "sail", "light": "dusk"}, {"subject": "kite", "light": "noon"}]


def plan(template, values=None, models=MODEL, params=None, table=None, **options):
    options["table"] = tables.read_table(table)
    return make_plan(template, values or {}, models, params or {}, available=KNOWN, **options)


def prompts(*args, **options):
    return [cell.prompt for cell in plan(*args, **options).cells]


class TestTemplates:
    def test_several_are_compared_by_letters_or_names(self):
        values = {"subject": ["sail", "kite"], "light": ["dusk"]}
        made = plan(["A {subject}", "{subject} at {light}"], values)
        assert [(cell.values["template"], cell.prompt) for cell in made.cells] == [
            ("A", "A sail"),
            ("A", "A kite"),
            ("B", "sail at dusk"),
            ("B", "kite at dusk"),
        ]
        named = plan({"plain": "A {subject}", "lit": "{subject} at {light}"}, values)
        assert [cell.values["template"] for cell in named.cells] == [*2 * ["plain"], *2 * ["lit"]]

    def test_single_template_is_no_fact(self):
        assert plan(["A sail"]).cells[0].values == {}
        assert plan("A sail").cells[0].values == {}

    @pytest.mark.parametrize(
        ("template", "said"),
        [
            ([], "no prompt template"),
            (["A sail", " "], "“B” is empty"),
            ({"x": "A sail", "y": "A sail"}, "“x” and “y” are the same"),
            (["A sail", 5], "“B” is empty"),
            (7, "must be a string"),
            ({"x": "a", " x ": "b"}, "called “x”"),
        ],
    )
    def test_odd_templates_are_refused(self, template, said):
        with pytest.raises(ww.InvalidInputError, match=said) as caught:
            plan(template)
        assert caught.value.field == "template"

    def test_placeholder_may_not_be_called_template(self):
        with pytest.raises(ww.InvalidInputError, match=r"called \{template\}"):
            plan(["A {template}", "The {template}"], {"template": ["x"]})


class TestListsInPlace:
    def test_each_value_is_used(self):
        assert prompts("A {red|light blue} {{sail}}") == ["A red {sail}", "A light blue {sail}"]

    def test_value_is_a_fact(self):
        made = plan("A {red|blue} {what}", {"what": ["sail", "kite"]})
        assert [cell.values for cell in made.cells] == [
            {"what": what, "red|blue": color}
            for what, color in itertools.product(["sail", "kite"], ["red", "blue"])
        ]

    @pytest.mark.parametrize(
        ("template", "said"),
        [("A {red|}", "is empty"), ("A {|}", "is empty"), ("A {red| red}", "twice")],
    )
    def test_odd_lists_are_refused(self, template, said):
        with pytest.raises(ww.InvalidInputError, match=said):
            plan(template)


class TestPairs:
    def test_lists_are_used_side_by_side(self):
        made = plan(
            "A {subject} at {light}",
            {"subject": ["sail", "kite", "sail"], "light": ["dusk", "noon", "noon"]},
            params={"aspectRatio": ["4:5", "1:1", "4:5"], "resolution": "1K"},
            combine="zip",
        )
        assert [(cell.prompt, cell.params) for cell in made.cells] == [
            ("A sail at dusk", {"aspectRatio": "4:5", "resolution": "1K"}),
            ("A kite at noon", {"aspectRatio": "1:1", "resolution": "1K"}),
            ("A sail at noon", {"aspectRatio": "4:5", "resolution": "1K"}),
        ]

    def test_different_lengths_are_refused(self):
        with pytest.raises(ww.InvalidInputError, match=r"\{a\} has 2 values, and \{b\} has 3"):
            plan("{a} {b}", {"a": ["x", "y"], "b": ["x", "y", "z"]}, combine="zip")

    def test_table_is_a_list(self):
        made = plan(
            "A {subject} at {light}, {mood}", {"mood": ["calm", "wild"]}, table=ROWS, combine="zip"
        )
        assert [cell.prompt for cell in made.cells] == [
            "A sail at dusk, calm",
            "A kite at noon, wild",
        ]

    def test_models_accept_only_their_own_values(self):
        made = plan(
            "A sail",
            models=["nano-banana-2", "seedream-4-5"],
            params={"aspectRatio": ["4:5", "1:1"]},
            combine="zip",
        )
        assert [(cell.model, cell.params["aspectRatio"]) for cell in made.cells] == [
            ("nano-banana-2", "4:5"),
            ("seedream-4-5", "1:1"),
        ]


class TestRandom:
    VALUES = {  # noqa: RUF012 - only read
        "a": [f"a{number}" for number in range(1_000)],
        "b": [f"b{number}" for number in range(1_000)],
        "c": [f"c{number}" for number in range(1_000)],
    }

    def test_sample_has_no_doubles_and_can_be_repeated(self):
        options = {"combine": "random", "count": 50}
        first = prompts("{a} {b} {c}", self.VALUES, **options)
        assert len(set(first)) == 50
        assert prompts("{a} {b} {c}", self.VALUES, **options) == first
        assert prompts("{a} {b} {c}", self.VALUES, seed=1, **options) != first
        assert plan("{a} {b} {c}", self.VALUES, **options).total == 10**9

    def test_same_seed_gives_the_same_sample_in_each_version(self):
        values = {"a": [*"pqrstuvw"]}
        made = prompts("{a}", values, combine="random", count=3, seed=7)
        assert made == ["p", "q", "r"] or len(set(made)) == 3
        assert made == prompts("{a}", values, combine="random", count=3, seed=7)

    def test_whole_product_can_be_sampled(self):
        values = {"a": [*"xy"], "b": [*"123"]}
        whole = prompts("{a}{b}", values)
        assert prompts("{a}{b}", values, combine="random", count=6) == whole

    def test_larger_sample_is_refused(self):
        with pytest.raises(ww.InvalidInputError, match="sample of 7 is larger than the 6"):
            plan("{a}{b}", {"a": [*"xy"], "b": [*"123"]}, combine="random", count=7)
        with pytest.raises(ww.InvalidInputError, match="larger than the 3 different"):
            plan("{a}{b}", {"a": ["x", "xy"], "b": ["yz", "z"]}, combine="random", count=4)

    def test_takes_are_of_the_sample(self):
        made = plan("{a}", {"a": [*"xyz"]}, combine="random", count=2, takes=2)
        assert len(made) == 4
        assert len({cell.prompt for cell in made.cells}) == 2

    @pytest.mark.parametrize(
        ("options", "field"),
        [
            ({"combine": "random"}, "count"),
            ({"count": 3}, "count"),
            ({"combine": "random", "count": 0}, "count"),
            ({"combine": "random", "count": True}, "count"),
            ({"combine": "random", "count": 2, "seed": "x"}, "seed"),
            ({"combine": "each"}, "combine"),
            ({"combine": ["zip"]}, "combine"),
        ],
    )
    def test_odd_arguments_are_refused(self, options, field):
        with pytest.raises(ww.InvalidInputError) as caught:
            plan("{a}", {"a": [*"xyz"]}, **options)
        assert caught.value.field == field


class TestTables:
    @pytest.fixture(params=["list", "pandas", "csv", "semicolons", "tabs and BOM"])
    def table(self, request, tmp_path):
        lines = ["subject,light,aspectRatio", "sail,dusk,4:5", "kite,noon,1:1"]
        path = tmp_path / "subjects.csv"
        match request.param:
            case "list":
                return [
                    dict(zip(lines[0].split(","), line.split(","), strict=True))
                    for line in lines[1:]
                ]
            case "pandas":
                return pd.DataFrame(
                    [line.split(",") for line in lines[1:]], columns=lines[0].split(",")
                )
            case "csv":
                path.write_text("\r\n".join(lines), "utf-8")
            case "semicolons":
                path.write_text("\n".join(lines).replace(",", ";"), "utf-8")
            case _:
                path.write_text("\n".join(lines).replace(",", "\t"), "utf-8-sig")
        return path

    def test_each_row_is_a_cell(self, table):
        made = plan(["A {subject}, {light}", "{subject}"], table=table)
        assert [(cell.prompt, cell.params) for cell in made.cells] == [
            ("A sail, dusk", {"aspectRatio": "4:5"}),
            ("A kite, noon", {"aspectRatio": "1:1"}),
            ("sail", {"aspectRatio": "4:5"}),
            ("kite", {"aspectRatio": "1:1"}),
        ]

    def test_rows_are_combined_with_lists(self):
        made = plan("A {subject} {light} {mood}", {"mood": ["calm", "wild"]}, table=ROWS, takes=2)
        assert len(made) == 8

    def test_rows_choose_models_and_references(self):
        table = [
            {"subject": "sail", "model": "seedream-4-5", "references": "m1, m2"},
            {"subject": "kite", "model": None, "references": None},
        ]
        made = plan("A {subject}", table=table, attachments=["m0"])
        assert [(cell.model, cell.references) for cell in made.cells] == [
            ("seedream-4-5", ("m0", "m1", "m2")),
            (MODEL, ("m0",)),
        ]
        assert made.cells[0].values["references"] == "m1, m2"
        alone = plan("A {subject}", models=(), table=table[:1])
        assert [cell.model for cell in alone.cells] == ["seedream-4-5"]

    def test_text_is_converted_for_the_parameter(self):
        schema = {
            "properties": {
                "steps": {"type": "integer"},
                "strength": {"type": "number"},
                "tiling": {"type": "boolean"},
                "seconds": {"enum": [5, 10]},
            }
        }
        available = [GenerationModel(key="m", params=schema)]
        table = tables.read_csv(
            b"steps,strength,tiling,seconds\n4,0.5,yes,5\n,,,\n8,1,FALSE,10", "t.csv"
        )
        made = make_plan("A sail", {}, "m", {}, available=available, table=table)
        assert [cell.params for cell in made.cells] == [
            {"steps": 4, "strength": 0.5, "tiling": True, "seconds": 5},
            {"steps": 8, "strength": 1, "tiling": False, "seconds": 10},
        ]

    def test_empty_cell_of_a_parameter_is_left_to_the_service(self):
        table = pd.DataFrame({"subject": ["sail", "kite"], "resolution": ["2K", None]})
        assert [cell.params for cell in plan("A {subject}", table=table).cells] == [
            {"resolution": "2K"},
            {},
        ]

    @pytest.mark.parametrize(
        ("table", "said"),
        [
            ([{"subject": "sail", "colour": "red"}], "column “colour”"),
            ([{"subject": "sail", "aspect_ratio": "4:5"}], "Did you mean 'aspectRatio'"),
            ([{"subject": "sail"}, {"subject": " "}], "Row 2 has no value in the column “subject”"),
            ([{"subject": "sail"}, {}], "Row 2 has no value"),
            ([{"subject": "sail"}, {"subject": float("nan")}], "Row 2 has no value"),
            (
                [{"subject": "sail", "resolution": "2K"}, {"subject": "x", "resolution": "9K"}],
                "Row 2, column “resolution”: .*does not support '9K'",
            ),
            ([{"subject": "sail", "model": "no-such"}], "Row 1, column “model”: there is no model"),
            ([], "no rows"),
            ([1], "Row 1 of the table is not a dict"),
            ({"subject": ["sail"]}, "must be a DataFrame"),
            (5, "must be a DataFrame"),
            ("no/such.csv", "such.csv cannot be read"),
            (pd.DataFrame([["a", "b"]], columns=["subject", "subject"]), "two columns “subject”"),
            ([{"subject": str(number)} for number in range(10_001)], "10,001 rows"),
            ([{"subject": str(number)} for number in range(1_001)], "more than 1,000"),
        ],
    )
    def test_odd_tables_are_refused(self, table, said):
        with pytest.raises(ww.InvalidInputError, match=said):
            plan("A {subject}", table=table)

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("subject\ngr\xfcn".encode("latin-1"), NOT_UTF_8),
            ("subject\nsail".encode("utf-16"), NOT_UTF_8),
            ("subject\nsail".encode("utf-16-le"), NOT_UTF_8),
            (b"PK\x03\x04\x14\x00\x06\x00", NOT_UTF_8),
            (b"", "no rows"),
            (b"subject\n", "no rows"),
            (b"subject\nsail,red", "Row 1 of subjects.csv has more cells than the header"),
            (b"subject,,light\nsail,x,dusk", "Column 2 of the table has no name"),
            (b'subject\n"' + b"x" * 200_000 + b'"', "not a valid CSV file: a cell is too long"),
            (b"subject\n" + b"x" * 10_000_000, "larger than 10 MB"),
        ],
    )
    def test_odd_files_are_refused(self, content, said, tmp_path):
        path = tmp_path / "subjects.csv"
        path.write_bytes(content)
        with pytest.raises(ww.InvalidInputError, match=said) as caught:
            plan("A {subject}", table=path)
        assert caught.value.field == "table"

    def test_several_values_beside_a_full_column_are_refused(self):
        rows = [{**row, "resolution": "2K", "model": MODEL} for row in ROWS]
        with pytest.raises(ww.InvalidInputError, match="resolution has several values") as caught:
            plan("A {subject}, {light}", params={"resolution": ["1K", "4K"]}, table=rows)
        assert caught.value.field == "params.resolution"
        with pytest.raises(ww.InvalidInputError, match="names its own model") as caught:
            plan("A {subject}, {light}", models=[MODEL, "z-image"], table=rows)
        assert caught.value.field == "models"
        made = plan("A {subject}, {light}", params={"resolution": "1K"}, table=rows)
        assert {cell.params["resolution"] for cell in made.cells} == {"2K"}
        rows[1]["resolution"] = None
        made = plan("A {subject}, {light}", params={"resolution": ["1K", "4K"]}, table=rows)
        assert [cell.params["resolution"] for cell in made.cells] == ["2K", "1K", "4K"]

    def test_column_and_values_of_one_placeholder_are_refused(self):
        with pytest.raises(ww.InvalidInputError, match="has values and is a column"):
            plan("A {subject}", {"subject": ["x"]}, table=[{"subject": "sail"}])

    def test_too_many_references_are_refused(self):
        with pytest.raises(ww.InvalidInputError, match="up to 4 reference images"):
            plan("A sail", models="gpt-image-2", attachments=list("abcde"))
        with pytest.raises(ww.InvalidInputError, match="accepts no reference images"):
            plan("A sail", models="z-image", attachments=["m1"])


def test_plan_with_all_options_is_resumed(quick_polls, tmp_path):  # noqa: ARG001
    path = Path(tmp_path / "subjects.csv")
    path.write_text("subject,aspectRatio\nsail,4:5\nkite,1:1\nboat,4:5", "utf-8")
    arguments = {
        "template": {"plain": "A {subject}, {light}", "short": "{subject} {red|blue}, {light}"},
        "values": {"light": ["dusk", "noon"]},
        "models": MODEL,
        "table": path,
        "takes": 2,
        "combine": "random",
        "count": 4,
        "seed": 3,
    }
    with ww.Wonda.sandbox(seconds=0.02, journal=tmp_path / "journal.db") as wonda:
        matrix = wonda.images.matrix(**arguments, max_concurrency=1)
        for _ in matrix:
            break
        matrix.stop()
        while not (left := wonda.images.unfinished()):
            pass  # its job has not ended yet
        again = left[0]
        assert again.fingerprint == matrix.fingerprint
        path.unlink()  # the journal has the rows
        rows = list(again)
        assert len(rows) == 8
        assert {row["take"] for row in rows} == {"1", "2"}
        assert {row["template"] for row in rows} <= {"plain", "short"}
        assert len(sandbox_of(wonda).store.jobs) == 8
    with ww.Wonda.sandbox(journal=tmp_path / "journal.db") as later:
        (newest, *_) = later.history.search("")
        assert newest.values["template"] in {"plain", "short"}
        assert newest.values["light"] in {"dusk", "noon"}


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ('"a,b";c\n1;2\n', {"a,b": "1", "c": "2"}),
        ("size (w,h,d)\tlight\n1\t2\n", {"size (w,h,d)": "1", "light": "2"}),
        ("sep=;\r\na;b\r\n1;2\r\n", {"a": "1", "b": "2"}),
        ("a,b\n1,2;3\n", {"a": "1", "b": "2;3"}),
        ("only\nx\n", {"only": "x"}),
    ],
)
def test_separators_are_found(text, row):
    assert tables.read_csv(text.encode(), "t.csv") == [row]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([{"s": "a", "s ": "b"}], "two columns “s”"),
        ([{"s": {"a": 1}}], "of the type dict"),
    ],
)
def test_ambiguous_tables_are_refused(given, said):
    with pytest.raises(ww.InvalidInputError, match=said):
        tables.read_table(given)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"combine": np.array(["zip", "product"])}, "combine must be one of"),
        ({"values": {"x": [{1}]}}, "x"),
        ({"table": [{"x": "a", "model": []}]}, "column “model”: there is no model"),
        ({"table": np.array(5)}, "must be a DataFrame"),
        ({"models": None}, "models has no values"),
        ({"models": float("nan")}, "Value 1 of models is empty"),
    ],
)
def test_objects_of_other_types_are_refused(arguments, said):
    arguments = {"values": {"x": ["a"]}, **arguments}
    if "table" in arguments:
        del arguments["values"]
    with pytest.raises(ww.InvalidInputError, match=said):
        plan("A {x}", **arguments)


def test_wide_table_is_refused_before_its_cells_are_read():
    rows = [dict.fromkeys(map(str, range(2_000)), number) for number in range(500)]
    reading = mock.patch.object(table_rows, "_to_row", side_effect=AssertionError)
    with reading, pytest.raises(ww.InvalidInputError, match="has a column"):
        plan("A sail", table=rows)


def test_unclosed_quote_is_refused():
    with pytest.raises(ww.InvalidInputError, match="is not a valid CSV file: unexpected"):
        tables.read_csv(b's\n"a\nb\n', "t.csv")


def test_list_in_a_placeholders_cell_is_refused():
    model = GenerationModel(key="m", params={})
    with pytest.raises(ww.InvalidInputError, match="one value, not a list"):
        make_plan("A {s}", {}, "m", {}, available=[model], table=[{"s": ["x", "y"]}])


class TestOddValues:
    @pytest.mark.parametrize(
        "value",
        [["x", "y"], b"a", object(), {"a": 1}, 10**5000],
        ids=["list", "bytes", "object", "dict", "huge"],
    )
    def test_what_is_no_text_is_refused(self, value):
        with pytest.raises(ww.InvalidInputError, match=r"Value 1 of \{n\} is of the type"):
            plan("A {n}", {"n": [value]})
        if not isinstance(value, list):
            with pytest.raises(ww.InvalidInputError, match="A cell of the table is of the type"):
                plan("A {n}", table=[{"n": value}])

    def test_dates_are_written_as_days(self):
        days = pd.Series(["2026-01-01", "2026-01-02T10:00"]).astype("datetime64[ns]")
        expected = ["A 2026-01-01", "A 2026-01-02 10:00:00"]
        assert prompts("A {n}", {"n": days}) == expected
        assert prompts("A {n}", {"n": days.to_numpy()}) == expected
        assert prompts("A {n}", table=[{"n": day} for day in days.to_numpy()]) == expected

    def test_infinite_cell_is_refused(self):
        with pytest.raises(ww.InvalidInputError, match="infinite"):
            plan("A {n}", table=[{"n": float("inf")}])

    def test_image_in_the_references_column_is_its_media_id(self):
        media = ww.Media(media_id="med_1")
        with_media = type("WithMedia", (), {"media": media})()
        rows = [{"n": "a", "references": media}, {"n": "b", "references": [with_media, "med_2"]}]
        made = plan("A {n}", table=rows)
        assert [cell.references for cell in made.cells] == [("med_1",), ("med_1", "med_2")]
        with pytest.raises(ww.InvalidInputError, match="of the type object"):
            plan("A {n}", table=[{"n": "a", "references": object()}])

    def test_column_called_as_a_placeholder_has_its_values(self):
        assert prompts("A {model} car", table=[{"model": "vw"}, {"model": "bmw"}]) == [
            "A vw car",
            "A bmw car",
        ]

    def test_text_is_no_path_of_a_table(self):
        with pytest.raises(ww.InvalidInputError, match="text, not a path"):
            plan("A {n}", table="n\na\nb\n")

    @pytest.mark.parametrize(
        "arguments",
        [
            {"template": " ".join(f"{{a{n}|b{n}}}" for n in range(60)), "combine": "zip"},
            {"template": "A {n}", "values": {"n": range(1_000_000)}},
            {
                "template": [f"{number} {{n}}" for number in range(200)],
                "table": [{"n": str(number)} for number in range(5_000)],
            },
        ],
        ids=["lists in place", "many values", "many rows"],
    )
    def test_large_plans_are_refused_without_building_them(self, arguments):
        with pytest.raises(ww.InvalidInputError, match=r"more than 1,000 results|are too many"):
            plan(**arguments)


@pytest.mark.parametrize("argument", ["values", "table"])
def test_matrix_is_no_list_of_values(argument):
    with ww.Wonda.sandbox(seconds=0.02) as wonda:
        matrix = wonda.images.matrix("A {x}", {"x": ["a"]}, MODEL)
        given = {"x": matrix} if argument == "values" else matrix
        with pytest.raises(ww.InvalidInputError, match="not Matrix"):
            wonda.images.matrix("A {x}", models=MODEL, **{"values": {}, argument: given}).wait()
        assert wonda.jobs.recent() == []
