#!/usr/bin/env python3
"""A second implementation of a model's version, written from docs/model-canonical.md.

    model_version.py model.yaml     prints the version, then the structural version

Exit status 77: PyYAML is not installed.
"""
import hashlib
import sys
from fractions import Fraction

try:
    import yaml
except ImportError:
    sys.exit(77)

FACTORS = {
    "history": ["lateness", "defaults", "track_record", "debt"],
    "behaviour": ["activity", "regularity", "diversity", "reversals"],
    "fulfilment": ["spending", "repayment", "limit", "bookings"],
    "characteristics": ["identity", "education", "tenure"],
    "relationships": ["friends"],
}


def curve(points):
    return " ".join(f"{x}:{y}" for x, y in points)


def scoring(model):
    for factor in FACTORS:
        yield f"factor.{factor}.weight {model['factors'][factor]['weight']}"
    for factor, variables in FACTORS.items():
        for variable in variables:
            component = model["factors"][factor]["components"][variable]
            yield f"component.{variable}.weight {component['weight']}"
            yield f"component.{variable}.neutral {component['neutral']}"
            yield f"component.{variable}.curve {curve(component['curve'])}"
    yield "late_severity " + " ".join(map(str, model["late_severity"]))
    yield "overdue_severity " + curve(model["overdue_severity"])
    for key in ("refund_share", "cancelled_share", "booking_prior"):
        yield f"{key} {model[key]}"
    for fact in ("phone", "address", "identity", "degree"):
        yield f"fact_points.{fact} {model['fact_points'][fact]}"
    for key in ("aged_days", "aged_overdue_days", "listed_cap", "revoke_margin"):
        yield f"{key} {model[key]}"
    for tier in model["tiers"]:
        yield f"tier.{tier['name']} {tier['from']}"
    for benefit in model["benefits"]:
        yield f"benefit.{benefit['id']} {benefit['threshold']}"


def structural(part):
    for key in ("payments", "bills", "defaults", "bookings"):
        yield f"half_life_days.{key} {part['half_life_days'][key]}"
    yield f"recent_window {part['recent_window']}"
    yield f"recent_days {part['recent_days']}"
    base = part["base_currency"]
    yield f"base_currency {base}"
    base_units = 10 ** int(part["currencies"][base]["decimals"])
    for code, currency in sorted(part["currencies"].items()):
        rate = Fraction(currency["rate"]) * base_units / 10 ** int(currency["decimals"])
        yield f"currency.{code} {rate.numerator}/{rate.denominator}"


def digest(lines):
    return hashlib.sha256("".join(line + "\n" for line in lines).encode()).hexdigest()[:16]


def main():
    # Scalars stay text, so that 7.10 is exactly that.
    with open(sys.argv[1], encoding="utf-8") as file:
        model = yaml.load(file, Loader=yaml.BaseLoader)
    inner = list(structural(model["structural"]))
    print(f"{model['name']}-{digest(['sesame-model 3', *scoring(model), *inner])}")
    print(digest(["sesame-model-structural 2", *inner]))


main()
