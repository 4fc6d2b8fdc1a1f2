{#
  A text in upper case, one letter for one: `ß` is `ẞ`, and `ﬁ`, which has no capital, stays.
#}
{% macro upper_case(value) -%}
    {{ return(adapter.dispatch('upper_case', 'voronka')(value)) }}
{%- endmacro %}

{% macro duckdb__upper_case(value) -%}
    upper({{ value }})
{%- endmacro %}

{% macro spark__upper_case(value) -%}
    {#- The engine writes two letters where one has no capital, or one that titles alone have. -#}
    {%- set small = 'ßᾀᾁᾂᾃᾄᾅᾆᾇᾐᾑᾒᾓᾔᾕᾖᾗᾠᾡᾢᾣᾤᾥᾦᾧᾳῃῳ' -%}
    {%- set capital = 'ẞᾈᾉᾊᾋᾌᾍᾎᾏᾘᾙᾚᾛᾜᾝᾞᾟᾨᾩᾪᾫᾬᾭᾮᾯᾼῌῼ' -%}
    case
        when {{ value }} rlike r'^[\x00-\x7f]*\z' then upper({{ value }})
        else array_join(transform(
            split(translate({{ value }}, '{{ small }}', '{{ capital }}'), ''),
            letter -> case when length(upper(letter)) = 1 then upper(letter) else letter end
        ), '')
    end
{%- endmacro %}
