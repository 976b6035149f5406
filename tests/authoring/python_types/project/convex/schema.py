from typing import TypedDict

from parabola import define_schema, define_table, v


class Place(TypedDict):
    lat: float
    lon: float
    names: list[str]


schema = define_schema(
    {
        "users": define_table(
            {"name": v.string(), "email": v.optional(v.string()), "age": v.integer()}
        ).index("by_email", ["email"]),
        "notes": define_table(
            {
                "text": v.string(),
                "stars": v.number(),
                "owner": v.id("users"),
                "kind": v.union(v.literal("plain"), v.literal("rich")),
                "tags": v.optional(v.array(v.string())),
                "place": v.optional(
                    v.object({"lat": v.number(), "lon": v.number(), "names": v.array(v.string())})
                ),
                "parent": v.optional(v.id("notes")),
                "picture": v.optional(v.id("_storage")),
                "from": v.optional(v.union(v.null(), v.string())),
                "links": v.array(v.object({"title": v.string(), "url": v.string()})),
                "version": v.int64(),
                "body": v.bytes(),
            }
        )
        .index("by_owner_stars", ["owner", "stars"])
        .index("by_city", ["place.lat"])
        .index("by_kind", ["kind"], staged=True),
        "counters": define_table(
            {"name": v.string(), "votes": v.record(v.id("users"), v.number()), "any": v.any()}
        ),
        "events": define_table(
            v.union(
                v.object({"kind": v.literal("join"), "user": v.id("users")}),
                v.object({"kind": v.literal("say"), "user": v.id("users"), "text": v.string()}),
            )
        ).index("by_user", ["user"]),
        "places": define_table(Place),
        "loose": define_table(v.any()),
    }
)
