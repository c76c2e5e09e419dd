"""The small history behind the pages' pictures: each server's numbers in steps of five minutes, for eight days."""
