#!/usr/bin/perl
# What Perl's MIME::Parser, which shares no code with us, reads in a mail, as JSON.
use strict;
use warnings;
use JSON::PP;
use MIME::Parser;
use MIME::WordDecoder;
use Encode;

binmode(STDIN);
my $raw = do { local $/; <STDIN> };
my $parser = MIME::Parser->new;
$parser->output_to_core(1);
$parser->tmp_to_core(1);
my $top = $parser->parse_data($raw);
my @leaves;
my @stack = ($top);
while (my $part = shift @stack) {
    if ($part->parts) { unshift @stack, $part->parts; next; }
    my $head = $part->head;
    my $body = $part->bodyhandle ? $part->bodyhandle->as_string : '';
    my $name = $head->recommended_filename // '';
    $name = mime_to_perl_string($name) if $name =~ /=\?/;
    push @leaves, {
        type => $head->mime_type,
        name => $name,
        hex => unpack('H*', $body),
    };
}
my %headers;
for my $name ($top->head->tags) {
    my $value = $top->head->get($name, 0) // '';
    $value =~ s/\r?\n[ \t]+/ /g;
    chomp $value;
    $headers{lc $name} = mime_to_perl_string($value);
}
my @problems = map { $_ . "" } ($parser->results->errors, $parser->results->warnings);
print JSON::PP->new->ascii->encode(
    { headers => \%headers, leaves => \@leaves, problems => \@problems });
