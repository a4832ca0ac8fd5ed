"""What a client offers, one resource a file; each in an awaitable and a blocking form.

The awaitable form does the work. The blocking form has the same names and
drives it on the package's loop.
"""
