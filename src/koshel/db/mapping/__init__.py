"""Outcomes in, arrays out; rows in, structs out."""
