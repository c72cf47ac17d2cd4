"""The story of metrics, charts and their snapshots, told with librato-metrics 3.1.0.

The client has no calls for snapshots and jobs: those go by requests, in every shape that
the documentation and the other clients send. Prints `the story held`, or where it did not.
"""

import argparse
import json
import signal
import time

import librato
import requests
from librato import exceptions
from librato.aggregator import Aggregator

# The client asks again for ever after a 5xx; the story then ends by this.
STORY_SECONDS = 240
# Enough that the list of them takes several pages.
MANY = 230


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--password", required=True)
    return parser.parse_args()


def step(text):
    """Says what comes next, so that a failure can be placed."""
    print("--", text, flush=True)


def refused(error_class, words, call, *args, **kwargs):
    """Asserts that a call raises this class, and that its message says all words."""
    try:
        call(*args, **kwargs)
    except exceptions.ClientError as error:
        assert type(error) is error_class, "raised %r: %s" % (type(error), error)
        for word in words:
            assert word in str(error), "does not say %r: %s" % (word, error)
        return error
    raise AssertionError("was not refused: %r %r" % (args, kwargs))


def raw(metric, source):
    """The measurements of a source as (time, value)."""
    return [(m["measure_time"], m["value"]) for m in metric.measurements[source]]


def tagged(api, name, **query):
    """The series of a metric: its tags as text, and (time, value)."""
    query.setdefault("duration", 7200)
    found = api.get_tagged(name, **query)
    assert found["name"] == name and found["resolution"] >= 1, found
    return {
        json.dumps(series["tags"], sort_keys=True): [
            (m["time"], m["value"]) for m in series["measurements"]
        ]
        for series in found["series"]
    }


def metrics(api, now):
    step("submit")
    api.submit("temp.indoor", 21.5, source="cellar", measure_time=now - 120)
    api.submit("temp.indoor", 22, source="cellar", measure_time=now - 60, description="degrees")
    api.submit("temp.indoor", 25, source="attic", measure_time=now - 60)
    api.submit("doors.opened", 17, type="counter", measure_time=now - 60)
    api.submit("temp.outdoor", -3.25, tags={"city": "Bergen", "side": "north"}, time=now - 60)
    gauge = api.get("temp.indoor", count=10, resolution=1)
    assert type(gauge).__name__ == "Gauge", gauge
    assert raw(gauge, "cellar") == [(now - 120, 21.5), (now - 60, 22)], gauge.measurements
    assert raw(gauge, "attic") == [(now - 60, 25)], gauge.measurements
    only = api.get("temp.indoor", start_time=now - 300, resolution=1, source="attic")
    assert list(only.measurements) == ["attic"], only.measurements
    counter = api.get("doors.opened", count=1, resolution=1)
    assert type(counter).__name__ == "Counter", counter
    assert raw(counter, "unassigned") == [(now - 60, 17)], counter.measurements
    assert tagged(api, "temp.outdoor") == {
        '{"city": "Bergen", "side": "north"}': [(now - 60, -3.25)]
    }

    step("queue")
    with api.new_queue() as queue:
        for number in range(MANY):
            queue.add("queued.metric-%03d" % number, number, measure_time=now - 60)
        for second in range(700):
            queue.add("queued.series", second, measure_time=now - 700 + second, source="web")
        queue.add("queued.counter", 5, type="counter", measure_time=now - 60)
    series = api.get("queued.series", start_time=now - 700, resolution=1)
    assert raw(series, "web") == [(now - 700 + n, n) for n in range(700)], "some are lost"
    queue = api.new_queue(tags={"region": "north"})
    for second in range(400):
        queue.add("queued.tagged", second, time=now - 400 + second)
        queue.add("queued.tagged", -second, time=now - 400 + second, tags={"host": "a b"})
    queue.submit()
    found = tagged(api, "queued.tagged")
    assert set(found) == {'{"region": "north"}', '{"host": "a b"}'}, found.keys()
    assert found['{"region": "north"}'] == [(now - 400 + n, n) for n in range(400)]
    assert found['{"host": "a b"}'] == [(now - 400 + n, -n) for n in range(400)]
    assert list(tagged(api, "queued.tagged", tags={"host": "a*"})) == ['{"host": "a b"}']

    step("aggregator")
    aggregator = Aggregator(api, source="web", tags={"host": "b"}, measure_time=now - 60)
    for value in (1, 2, 6):
        aggregator.add("aggregated", value)
        aggregator.add_tagged("aggregated.tagged", value)
    aggregator.submit()
    point = api.get("aggregated", count=1, resolution=1).measurements["web"][0]
    expected = {"count": 3, "sum": 9, "min": 1, "max": 6, "value": 3, "measure_time": now - 60}
    assert {key: point[key] for key in expected} == expected, point
    assert tagged(api, "aggregated.tagged") == {'{"host": "b"}': [(now - 60, 3)]}
    queue = api.new_queue()
    aggregator.add("aggregated", 5)
    queue.add_aggregator(aggregator)
    queue.submit()
    assert len(api.get("aggregated", count=5, resolution=1).measurements["web"]) == 2

    step("list, update, delete")
    names = [metric.name for metric in api.list_all_metrics()]
    assert len(names) == len(set(names)), "a metric is listed twice"
    wanted = {"queued.metric-%03d" % number for number in range(MANY)}
    assert wanted <= set(names), sorted(wanted - set(names))[:5]
    assert len(api.list_metrics()) == 100, "a page has 100"
    listed = [metric.name for metric in api.list_all_metrics(name="QUEUED.METRIC")]
    assert set(listed) == wanted, len(listed)
    attributes = {"color": "#ff0000", "display_max": 40}
    api.update("temp.indoor", description="Indoors", period=60, attributes=attributes)
    gauge = api.get("temp.indoor")
    assert gauge.description == "Indoors" and gauge.period == 60, vars(gauge)
    assert gauge["color"] == "#ff0000" and gauge["display_max"] == 40, gauge.attributes
    gauge.add(23, source="attic", measure_time=now - 30)
    assert raw(api.get("temp.indoor", count=1, resolution=1), "attic") == [(now - 30, 23)]
    assert api.get("TEMP.Indoor").name.lower() == "temp.indoor"
    api.update("made.by.hand", type="counter", description="By hand")
    assert api.get("made.by.hand").description == "By hand"
    api.delete("made.by.hand")
    refused(exceptions.NotFound, ["made.by.hand"], api.get, "made.by.hand")
    api.delete(["queued.metric-000", "queued.metric-001"])
    api.delete(["queued.metric-*"])
    assert [m.name for m in api.list_all_metrics(name="queued.metric")] == []


def annotations(api, now):
    step("annotations")
    links = [{"rel": "commit", "href": "http://example.com/1", "label": "the commit"}]
    made = api.post_annotation(
        "deploys", title="Release 42", source="web", description="out it goes",
        start_time=now - 600, end_time=now - 500, links=links,
    )
    api.post_annotation("deploys", title="Release 43", start_time=now - 100)
    stream = api.get_annotation_stream("deploys", start_time=now - 900)
    events = stream.events[0]
    assert events["web"][0]["title"] == "Release 42", events
    assert events["unassigned"][0]["title"] == "Release 43", events
    assert api.get_annotation_stream("deploys", start_time=now - 200).events[0].keys() == {
        "unassigned"
    }
    assert api.get_annotation("deploys", made["id"]).name == "deploys"
    assert "deploys" in [stream.name for stream in api.list_annotation_streams()]
    api.delete_annotation_stream("deploys")
    assert "deploys" not in [stream.name for stream in api.list_annotation_streams()]


def charts(api, now):
    step("spaces and charts")
    space = api.create_space("Weather Ⅱ")
    assert type(space.id) is int, space.id
    api.create_space("Weather Ⅱ and more")
    assert api.find_space("weather Ⅱ").id == space.id
    assert api.find_space("no such space") is None
    line = space.add_line_chart("Line", streams=[{"metric": "temp.indoor", "source": "*"}])
    single = space.add_single_line_chart(
        "Single", "temp.indoor", "cel*", group_function="sum", summary_function="max"
    )
    stacked = space.add_stacked_chart("Stacked", streams=[{"metric": "temp.indoor"}])
    space.add_single_stacked_chart("Single stacked", "temp.indoor", "*")
    number = space.add_bignumber_chart("Number", "temp.indoor", group_function="max")
    assert (line.type, stacked.type, number.type) == ("line", "stacked", "bignumber")
    assert single.streams[0].group_function == "sum", vars(single.streams[0])
    assert number.use_last_value is True
    whole = api.create_chart(
        "All of it", space, type="stacked", label="degrees", min=-10, max=40,
        use_log_yaxis=False, related_space=space.id,
        streams=[
            {"metric": "temp.indoor", "source": "*", "color": "#52D74C", "units_short": "°C",
             "units_long": "degrees", "name": "inside", "group_function": "average",
             "summary_function": "max", "transform_function": "x*1", "min": -50, "max": 60,
             "downsample_function": "max", "period": 60},
            {"metric": "temp.outdoor", "tags": [{"name": "city", "values": ["B*"]}]},
        ],
    )
    first, second = whole.streams
    assert (whole.label, whole.min, whole.max) == ("degrees", -10, 40), vars(whole)
    assert whole.related_space == space.id and whole.use_log_yaxis is False, vars(whole)
    assert first.color == "#52D74C" and first.units_short == "°C", vars(first)
    assert first.name == "inside" and first.transform_function == "x*1", vars(first)
    assert second.tags == [{"name": "city", "values": ["B*"]}], vars(second)

    chart = api.find_chart("all OF it", api.get_space(space.id))
    assert chart.id == whole.id and type(chart.id) is int, chart.id
    assert len(api.get_space(space.id).chart_ids) == 6, api.get_space(space.id).chart_ids
    assert len(api.list_charts_in_space(space)) == 6
    chart.rename("Everything")
    chart = api.get_chart(whole.id, space.id)
    assert chart.name == "Everything" and len(chart.streams) == 2, vars(chart)
    chart.new_stream("queued.series")
    chart.min = -20
    chart.save()
    assert len(api.get_chart(whole.id, space).streams) == 3
    assert api.update_chart(chart, space, label="°C")["label"] == "°C"
    single.delete()
    refused(exceptions.NotFound, [], api.get_chart, single.id, space)
    refused(
        exceptions.BadRequest, ["composite"], api.create_chart, "Composite", space,
        streams=[{"composite": 's("temp.indoor", "*")'}],
    )
    space.rename("Sky")
    assert api.get_space(space.id).name == "Sky"
    api.delete_space(api.find_space("Weather Ⅱ and more").id)
    assert [s.name for s in api.list_spaces(name="weather")] == []
    return space, whole


class Snapshots:
    """The calls that the client lacks."""

    def __init__(self, base, password):
        self.base = base
        self.session = requests.Session()
        self.session.auth = ("admin", password)
        self.nobody = requests.Session()
        # Neither a proxy nor a login of the machine's.
        self.session.trust_env = self.nobody.trust_env = False

    def create(self, **body):
        reply = self.session.post(self.base + "/v1/snapshots", timeout=20, **body)
        assert reply.status_code == 202, "%s %s" % (reply.status_code, reply.text)
        made = reply.json()
        assert made["image_href"] is None, made
        assert reply.headers["Location"] == "/v1/snapshots/" + made["href"].rsplit("/", 1)[1]
        return made

    def finish(self, made):
        deadline = time.monotonic() + 60
        while True:
            job = self.session.get(made["job_href"], timeout=20).json()
            if job["state"] not in ("queued", "working"):
                break
            assert time.monotonic() < deadline, job
            time.sleep(0.05)
        assert job["state"] == "complete", job
        drawn = self.session.get(made["href"], timeout=20).json()
        # Whoever is given the link may look, without a login.
        picture = self.nobody.get(drawn["image_href"], timeout=20)
        assert picture.status_code == 200, picture.text
        assert picture.headers["Content-Type"] == "image/png", picture.headers
        assert picture.content.startswith(b"\x89PNG\r\n\x1a\n"), picture.content[:20]
        return drawn


def snapshots(calls, chart, now):
    subject = {"chart": {"id": chart.id, "type": "stacked", "source": "*"}}
    ruby = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now - 30))
    iso = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 30))

    step("a snapshot in JSON")
    made = [calls.create(json={"subject": subject, "duration": 600, "end_time": now - 30})]
    step("with Ruby's time, and as ISO 8601")
    for end_time in (ruby, iso):
        made.append(
            calls.create(json={"subject": subject, "duration": 600, "end_time": end_time})
        )
    step("in brackets")
    form = {
        "subject[chart][id]": chart.id, "subject[chart][source]": "*",
        "subject[chart][type]": "stacked", "duration": 600, "end_time": ruby,
    }
    made.append(calls.create(data=form))
    step("as JSON that is called a form")
    text = json.dumps({"subject": subject, "duration": 600, "end_time": now - 30})
    label = {"Content-Type": "application/x-www-form-urlencoded"}
    made.append(calls.create(data=text, headers=label))

    for one in made:
        drawn = calls.finish(one)
        assert (drawn["end_time"], drawn["duration"]) == (iso, 600), drawn
        assert drawn["subject"] == {
            "chart": {"id": chart.id, "sources": ["*"], "type": "stacked"}
        }, drawn
    step("the least that can be asked")
    drawn = calls.finish(calls.create(data="subject[chart][id]=%d" % chart.id, headers=label))
    assert drawn["duration"] == 3600, drawn


def errors(api, connect, now):
    step("errors")
    refused(exceptions.NotFound, [], api.get, "no.such.metric")
    refused(exceptions.NotFound, [], api.get_space, 424242)
    refused(exceptions.BadRequest, ["name"], api.submit, "a name with spaces", 1)
    refused(exceptions.BadRequest, ["value"], api.submit, "a.name", "not a number")
    refused(exceptions.BadRequest, ["value"], api.submit, "a.name", 1e300)
    refused(exceptions.BadRequest, ["tags"], api.submit, "a.name", 1, tags={"a b": "c"})
    refused(exceptions.BadRequest, ["name"], api.submit, "manager.queue.depth", 1)
    refused(exceptions.BadRequest, ["measure_time"], api.submit, "a.name", 1, measure_time="soon")
    refused(exceptions.BadRequest, ["compose"], api.get_composite, "s(x)", start_time=now - 60)
    refused(exceptions.BadRequest, ["composite"], api.create_composite, "c", "s(x)")
    refused(exceptions.BadRequest, ["name"], api.create_space, "")
    refused(exceptions.Unauthorized, [], connect("admin", "wrong").list_metrics)
    refused(exceptions.Forbidden, [], api.delete_space, 1)
    nothing = [metric.name for metric in api.list_all_metrics(name="a.name")]
    assert nothing == [], "a refused measurement left a metric"


def main():
    signal.alarm(STORY_SECONDS)
    options = arguments()
    host = "127.0.0.1:%d" % options.port

    def connect(user, token):
        return librato.connect(user, token, hostname=host, protocol="http")

    api = connect("admin", options.password)
    now = int(time.time())
    metrics(api, now)
    annotations(api, now)
    space, chart = charts(api, now)
    snapshots(Snapshots("http://" + host, options.password), chart, now)
    errors(api, connect, now)
    space.delete()
    assert api.find_space("Sky") is None
    print("the story held")


if __name__ == "__main__":
    main()
