"""Judgement: rules as CSV rows, checked against a plan; findings with excess and citation."""
