{#
  The E.164 identity of a phone as people type it, default region RU; NULL when
  it has none. Short numbers (7 to 10 digits that are no Russian ones) keep their
  digits. Judged against the phonenumbers library in tests/unit.
#}
{% macro text_as_phone_number(value) -%}
    {{ return(adapter.dispatch('text_as_phone_number', 'voronka')(value)) }}
{%- endmacro %}

{% macro duckdb__text_as_phone_number(value) -%}
    {#- Lambdas over lists of one item, so that each step is computed once. Most numbers are
        digits after a plus or none, and two replacements take eight times as long as to see that. -#}
    {%- set before_extension -%}
        regexp_replace(lower({{ value }}), '(?s)^([^0-9]*[0-9].*?)(доб|ext|x|[,;#]).*$', '\1')
    {%- endset -%}
    list_transform(
        list_transform(
            [case
                when regexp_full_match({{ value }}, '[+]?[0-9]+') then ltrim({{ value }}, '+')
                else regexp_replace({{ before_extension }}, '[^0-9]', '', 'g')
            end],
            lambda digits: case
                when regexp_matches({{ value }}, '^[^0-9]*[+]') then '+' || digits
                when digits like '810%' then '+' || substr(digits, 4)
                when digits like '00%' then '+' || substr(digits, 3)
                when digits like '8%' and length(digits) = 11 then '+7' || substr(digits, 2)
                when length(digits) = 10 and substr(digits, 1, 1) in ('9', '8', '4', '3')
                    then '+7' || digits
                when length(digits) between 11 and 15 then '+' || digits
                else digits
            end
        ),
        lambda number: case
            when length(replace(number, '+', '')) between 7 and 15 then number
        end
    )[1]
{%- endmacro %}

{% macro spark__text_as_phone_number(value) -%}
    {%- set before_extension -%}
        regexp_replace(lower({{ value }}), r'(?s)^([^0-9]*[0-9].*?)(доб|ext|x|[,;#]).*\z', r'$1')
    {%- endset -%}
    transform(
        transform(
            array(case
                when {{ value }} rlike r'^[+]?[0-9]+\z' then ltrim('+', {{ value }})
                else regexp_replace({{ before_extension }}, '[^0-9]', '')
            end),
            digits -> case
                when {{ value }} rlike '^[^0-9]*[+]' then '+' || digits
                when digits like '810%' then '+' || substr(digits, 4)
                when digits like '00%' then '+' || substr(digits, 3)
                when digits like '8%' and length(digits) = 11 then '+7' || substr(digits, 2)
                when length(digits) = 10 and substr(digits, 1, 1) in ('9', '8', '4', '3')
                    then '+7' || digits
                when length(digits) between 11 and 15 then '+' || digits
                else digits
            end
        ),
        number -> case
            when length(replace(number, '+', '')) between 7 and 15 then number
        end
    )[0]
{%- endmacro %}
